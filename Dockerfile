# syntax=docker/dockerfile:1
# Browser assets, then Python packages, then a small image that runs as nobody on a read-only root.

FROM node:24-slim AS assets
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim AS packages
WORKDIR /app
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY pyproject.toml README.md ./
COPY service service
COPY detectors detectors
COPY features features
COPY models models
COPY data data
COPY --from=assets /build/node_modules node_modules
RUN python -c 'from service.web.assets import main; raise SystemExit(main())' \
 && rm -rf node_modules \
 && pip install --no-cache-dir --disable-pip-version-check --no-deps . \
 && python -m compileall -q /opt/venv/lib /app

FROM python:3.11-slim
RUN groupadd --gid 10001 minhbach && useradd --uid 10001 --gid 10001 --no-create-home minhbach \
 && mkdir -p /var/lib/minhbach && chown minhbach:minhbach /var/lib/minhbach
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MINHBACH_HOME=/var/lib/minhbach \
    MINHBACH_HOST=0.0.0.0
USER 10001:10001
VOLUME /var/lib/minhbach
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["minhbach"]
CMD ["serve"]
