"""The assessor's day in a real browser: find a claim, decide lines, have it concluded, read the trail."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Person, Site

    Arrive = Callable[..., Person]

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def claim_path(key: tuple[str, str]) -> str:
    return f"/claims/{quote(key[0])}/{quote(key[1], safe='')}"


def test_wrong_password_is_told_and_the_name_stays(visitor: Arrive) -> None:
    person = visitor()
    person.sign_in("lan", "không phải mật khẩu này")
    expect(person.page.get_by_role("alert")).to_have_text("Sai tên hoặc mật khẩu")
    expect(person.page.get_by_label("Tên tài khoản")).to_have_value("lan")
    person.open("/")
    expect(person.page).to_have_url(f"{person.url}/sign-in")


def test_sign_in_and_triage(visitor: Arrive, site: Site) -> None:
    person = visitor()
    person.sign_in("lan")
    page = person.page
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hồ sơ cần xem xét")
    rows = page.locator("#worklist tbody tr")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("Bệnh viện 98")  # lan sees province 98 and no other
    expect(page.locator("#worklist tbody")).not_to_contain_text("Bệnh viện 99")

    page.evaluate("window.sameDocument = true")
    page.get_by_label("Chỉ hồ sơ có dấu hiệu").check()
    expect(page).to_have_url(
        f"{person.url}/?text=&sort=rank&order=asc&province=&care=&scheme=&status=&facility=&since=&until=&hours=&flagged=1".replace(
            "text=&sort=rank&order=asc", "sort=rank&order=asc&text="
        )
    )
    expect(page.locator("#worklist tbody tr:not(.is-flagged)")).to_have_count(0)
    page.get_by_role("link", name="BHYT trả").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("BHYT trả")
    assert page.evaluate("window.sameDocument") is True  # only the table was replaced

    link = page.locator(".claim-link").first
    name = link.inner_text()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    reasons = page.get_by_role("region", name="Vì sao cần xem xét")
    expect(reasons).to_contain_text("Thanh toán 5 ngày giường")
    expect(reasons).to_contain_text("TT 39/2024")
    expect(page.locator(".chart canvas")).to_be_visible()  # drawn without eval
    assert "DN4" not in page.content()  # no card number


def test_claims_alike_are_one_row_that_leads_to_all_of_them(visitor: Arrive) -> None:
    person = visitor()
    person.sign_in("lan")
    page = person.page
    rows = page.locator("#worklist tbody tr")
    alike = page.locator("a.alike").first
    count = int(alike.inner_text().removeprefix("+ ").split()[0])
    alike.click()
    expect(rows).to_have_count(count + 1)
    page.get_by_role("link", name="Về danh sách").click()
    page.get_by_role("link", name="Hiện từng hồ sơ").click()
    expect(page.get_by_role("link", name="Hiện mỗi kiểu một hồ sơ")).to_be_visible()
    expect(page.locator("a.alike")).to_have_count(0)
    page.get_by_label("Số giờ có").fill("0,5")
    page.get_by_label("Số giờ có").press("Enter")
    expect(rows).to_have_count(2)
    expect(page.locator(".list-note")).to_contain_text("Vừa 0,5 giờ")


def test_two_lines_decided_then_concluded_by_a_second_person(visitor: Arrive, site: Site) -> None:
    path = claim_path(site.flagged(0))
    lan = visitor()
    lan.sign_in("lan")
    lan.open(path)
    page = lan.page
    page.get_by_role("button", name="Nhận hồ sơ").click()
    expect(page.locator("#flash")).to_have_text("Bạn đã nhận hồ sơ.")

    page.get_by_label("Quyết định dòng Giường nội khoa").check()
    bed = page.get_by_role("group", name="Ý kiến về Giường nội khoa")
    expect(bed.get_by_label("Căn cứ pháp lý")).to_have_value("TT 39/2024")
    at_risk = bed.get_by_label("Số tiền không thanh toán").input_value()
    page.get_by_label("Quyết định dòng Amlodipin 5 mg").first.check()
    drug = page.get_by_role("group", name="Ý kiến về Amlodipin 5 mg").first
    drug.get_by_label("Ý kiến").select_option("adjusted")
    drug.get_by_label("Số tiền không thanh toán").fill("1.000")
    page.get_by_role("button", name="Lưu ý kiến").click()
    page.get_by_role("button", name="Xác nhận").click()
    expect(drug.get_by_role("alert")).to_have_text("Hãy chọn lý do.")  # nothing was kept, nothing was lost
    expect(drug.get_by_label("Số tiền không thanh toán")).to_have_value("1.000")
    drug.get_by_label("Lý do").select_option(label="Vượt số lượng, số ngày")
    page.get_by_role("button", name="Lưu ý kiến").click()
    expect(page.locator("#confirm")).to_contain_text("Lưu ý kiến cho 2 dòng")
    page.get_by_role("button", name="Xác nhận").click()

    case = page.locator("#case")
    expect(page.locator("#flash")).to_contain_text("Đã lưu ý kiến")
    expect(case).to_contain_text(f"{at_risk}\N{NO-BREAK SPACE}₫")
    expect(case).to_contain_text("Vượt số lượng, số ngày")
    expect(page.locator("#audit")).to_contain_text("Lưu ý kiến")
    expect(page.get_by_role("button", name="Kết luận")).to_have_count(0)  # never the one who decided

    lan.open("/audit")
    entry = page.get_by_role("row").filter(has_text="Lưu ý kiến")
    expect(entry.first).to_contain_text(f"Từ chối · {at_risk}\N{NO-BREAK SPACE}₫")
    expect(entry.first).to_contain_text("Điều chỉnh · 1.000\N{NO-BREAK SPACE}₫")

    hoa = visitor()
    hoa.sign_in("hoa")
    hoa.open(path)
    hoa.page.get_by_label("Nhận xét kết luận").fill("Đồng ý với ý kiến giám định")
    hoa.page.get_by_role("button", name="Kết luận").click()
    hoa.page.get_by_role("button", name="Xác nhận").click()
    expect(hoa.page.locator("#flash")).to_have_text("Đã kết luận vụ việc.")
    expect(hoa.page.locator("#case")).to_contain_text("Đã kết luận")
    hoa.open("/audit")
    expect(hoa.page.locator("#chain")).to_contain_text("Nhật ký nguyên vẹn")
    expect(hoa.page.get_by_role("row").filter(has_text="Đồng ý với ý kiến giám định")).to_contain_text("hoa")


def test_a_decision_is_undone_and_the_claim_accepted_without_scripts(visitor: Arrive, site: Site) -> None:
    person = visitor(scripts=False)
    person.sign_in("lan")
    person.open(claim_path(site.flagged(1)))
    page = person.page
    page.get_by_role("button", name="Nhận hồ sơ").click()
    page.get_by_label("Quyết định dòng Giường nội khoa").check()
    page.get_by_role("button", name="Lưu ý kiến").click()
    expect(page.locator("#case")).to_contain_text("Đã có ý kiến")
    page.locator("#case summary", has_text="Hoàn tác").click()
    page.get_by_label("Lý do hoàn tác").fill("Cơ sở đã bổ sung hồ sơ")
    page.get_by_role("button", name="Hoàn tác").click()
    expect(page.locator("#flash")).to_contain_text("Đã hoàn tác")
    expect(page.locator("#audit")).to_contain_text("Cơ sở đã bổ sung hồ sơ")
    page.locator("#case summary", has_text="Chấp nhận toàn bộ hồ sơ").click()
    page.get_by_role("button", name="Chấp nhận toàn bộ hồ sơ").click()
    expect(page.locator("#case")).to_contain_text("Chi phí phù hợp")


def test_keyboard_alone_is_enough(visitor: Arrive, site: Site) -> None:
    person = visitor()
    person.open("/sign-in")
    page = person.page
    page.keyboard.type("lan")
    page.keyboard.press("Tab")
    page.keyboard.insert_text("đủ dài để dùng thử 98")
    page.keyboard.press("Enter")
    expect(page.locator("#worklist")).to_be_visible()
    facility, ma_lk = site.flagged(2)
    page.keyboard.press("/")
    page.keyboard.insert_text(f"{facility}:{ma_lk}")
    page.keyboard.press("Enter")
    expect(page.locator("#worklist tbody tr")).to_have_count(1)
    page.wait_for_load_state("networkidle")  # typing asks once, Enter again: the second answer replaces the rows
    page.keyboard.press("Escape")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#worklist tbody tr")).to_have_count(1)  # leaving the field keeps its filter
    page.keyboard.press("j")
    expect(page.locator("tr.is-current")).to_contain_text(ma_lk)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(ma_lk)
    page.get_by_role("button", name="Nhận hồ sơ").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Quyết định dòng Giường nội khoa").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Lưu ý kiến").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Xác nhận")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#flash")).to_contain_text("Đã lưu ý kiến")


def test_english_is_complete_and_stays_chosen(visitor: Arrive, site: Site) -> None:
    person = visitor()
    person.sign_in("minh")
    page = person.page
    page.get_by_role("button", name="EN").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Claims to review")
    expect(page.locator("#worklist tbody tr").first).to_contain_text("More bed days than days in hospital")
    page.locator(".claim-link").first.click()
    expect(page.get_by_role("button", name="Take the case")).to_be_visible()
    for path, title in (
        ("/runs", "Scoring runs"),
        ("/models", "Models"),
        ("/account", "Account"),
        ("/audit", "Audit trail"),
    ):
        person.open(path)
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.get_by_role("button", name="VI").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nhật ký")


def test_a_narrow_screen_shows_all_without_sideways_scrolling(visitor: Arrive, site: Site) -> None:
    person = visitor(width=400, height=800)
    person.sign_in("lan")
    for path in ("/", claim_path(site.flagged(3)), "/audit", "/runs", "/models", "/account"):
        person.open(path)
        assert person.page.evaluate("document.documentElement.scrollWidth") <= 400, path
