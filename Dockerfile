# An image of the registry: docker build --tag entrepot . && docker run --publish 5000:5000 --volume entrepot:/data entrepot
# The password of `admin` is printed once, at the first start: docker logs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/entrepot
# Before the sources: this layer is made anew only when a version changes.
COPY requirements.lock .
RUN /opt/entrepot/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY registry registry
COPY migrations migrations
RUN /opt/entrepot/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/entrepot /opt/entrepot
RUN groupadd --gid 5000 entrepot && useradd --uid 5000 --gid 5000 --no-create-home entrepot \
    && install --directory --owner entrepot --group entrepot --mode 0700 /data
# By number: Kubernetes cannot tell from a name that it is not root's.
USER 5000:5000
WORKDIR /data
VOLUME /data
# Inside a container the loopback address would be reached by nobody.
ENV REGISTRY_HOST=0.0.0.0 REGISTRY_DATA=/data
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s CMD \
    ["/opt/entrepot/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/healthz', timeout=2)"]
# Not as a shell: signals reach the server itself.
ENTRYPOINT ["/opt/entrepot/bin/entrepot"]
CMD ["serve"]
