/* Comfort on top of pages that work without it: keys on the worklist, the running sum and a question before saving. */
(() => {
  "use strict";

  const rows = () => [...document.querySelectorAll("#worklist tr[data-row]")];

  const goTo = (row) => {
    rows().forEach((other) => other.classList.toggle("is-current", other === row));
    const link = row.querySelector("a.claim-link");
    link.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };

  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("is-current"));
    goTo(all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))]);
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (typing) {
      if (event.key === "Escape") {
        event.preventDefault(); // a search field would empty itself, and the list would lose its filter
        typing.blur();
      }
      return;
    }
    const search = document.getElementById("f-text");
    if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "j" || event.key === "k") {
      step(event.key === "j" ? 1 : -1);
    } else if (event.key === "Enter" && event.target === document.body) {
      document.querySelector("#worklist tr.is-current a.claim-link")?.click();
    }
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("#worklist tr[data-row]");
    if (row) rows().forEach((other) => other.classList.toggle("is-current", other === row));
  });

  /* The sort lives in the header links; the filter form must not forget it when it is sent next. */
  document.addEventListener("htmx:after:swap", () => {
    const form = document.getElementById("filters");
    if (!form) return;
    const asked = new URLSearchParams(location.search);
    form.elements.sort.value = asked.get("sort") ?? "rank";
    form.elements.order.value = asked.get("order") ?? "asc";
  });

  /* Back to the list as it was filtered. */
  const back = document.querySelector("[data-back]");
  if (document.getElementById("worklist")) {
    const remember = () => sessionStorage.setItem("worklist", location.pathname + location.search);
    remember();
    document.addEventListener("click", remember, true);
  } else if (back) {
    const kept = sessionStorage.getItem("worklist");
    if (kept?.startsWith("/?")) back.href = kept;
  }

  const decide = document.getElementById("decide");
  const amountOf = (text) => {
    const digits = text.replace(/[^0-9]/g, "");
    return digits ? Number(digits) : 0;
  };
  const summary = () => {
    let sum = 0;
    const picked = [...decide.querySelectorAll(".pick:checked")];
    for (const box of picked) {
      const line = box.closest("tbody");
      if (line.querySelector("select[name^='outcome:']").value !== "accepted") {
        sum += amountOf(line.querySelector("input[name^='amount:']").value);
      }
    }
    const money = new Intl.NumberFormat(decide.dataset.locale === "vi" ? "vi-VN" : "en-US").format(sum);
    return { n: picked.length, sum: `${money}\u00a0₫` };
  };
  const fill = (text, values) => text.replace("{n}", values.n).replace("{sum}", values.sum);
  if (decide?.querySelector(".decide-sum")) {
    const shown = decide.querySelector(".decide-sum");
    const refresh = () => {
      const now = summary();
      shown.textContent = now.n ? fill(shown.dataset.some, now) : shown.dataset.none;
    };
    decide.addEventListener("input", refresh);
    decide.addEventListener("change", refresh);
    refresh();
  }

  /* A long stay has thousands of fields; only the picked lines are heard, so only they are sent. */
  decide?.addEventListener("formdata", (event) => {
    for (const box of decide.querySelectorAll(".pick:not(:checked)")) {
      for (const name of ["outcome", "amount", "reason", "note", "law"]) event.formData.delete(`${name}:${box.value}`);
    }
  });

  const dialog = document.getElementById("confirm");
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!dialog || !form.dataset.confirm || form.dataset.confirmed) return;
    const values = form.id === "decide" ? summary() : {};
    if (form.id === "decide" && !values.n) return;
    event.preventDefault();
    const button = event.submitter;
    document.getElementById("confirm-text").textContent = fill(form.dataset.confirm, values);
    dialog.querySelector("[data-yes]").onclick = () => {
      dialog.close();
      form.dataset.confirmed = "yes";
      form.requestSubmit(button);
    };
    dialog.querySelector("[data-no]").onclick = () => dialog.close();
    dialog.showModal();
    dialog.querySelector("[data-yes]").focus();
  });
})();
