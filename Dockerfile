# An image of the emulator. It needs a token for the admin API, since it listens on all interfaces of the container:
#   docker build -t outlook-emulator .
#   docker run -p 127.0.0.1:4365:4365 -e OUTLOOK_EMULATOR_ADMIN_TOKEN=SECRET outlook-emulator
# For a package index of your own: --secret id=pip.conf,src=FILE, and --secret id=ca.pem,src=FILE for its CA, which
# pip.conf names as /run/secrets/ca.pem.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY emulator ./emulator
COPY contract ./contract
COPY fixtures ./fixtures
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.pem \
    python -m pip wheel --no-cache-dir --disable-pip-version-check --no-deps --wheel-dir /wheel .

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Outlook Connector Emulator" \
    org.opencontainers.image.description="A local, stateful emulator of Microsoft's Outlook.com connector" \
    org.opencontainers.image.version="0.2.0" \
    org.opencontainers.image.licenses="MIT"
# The dependencies are a layer of their own, which a change of the sources leaves as it is.
RUN --mount=type=bind,source=requirements/image.txt,target=/tmp/image.txt \
    --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.pem \
    python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement /tmp/image.txt
# Any user may keep data in /data. A server and a health check run once, so that the modules of Python which they use are
# compiled: the user of a container may not write there, and would compile them at every start.
RUN --mount=type=bind,from=wheel,source=/wheel,target=/tmp/wheel \
    python -m pip install --no-cache-dir --disable-pip-version-check --no-index --no-deps /tmp/wheel/*.whl \
    && outlook-emulator exec --tls --ca-folder /tmp/ca -- outlook-emulator health \
    && rm -r /tmp/ca \
    && install --directory --mode=1777 /data

# Settings are variables, so that flags of `docker run` add to them. `health` finds the server by the ready file,
# whatever its flags are; /dev/shm can be written to even in a read-only container.
ENV OUTLOOK_EMULATOR_HOST=0.0.0.0 \
    OUTLOOK_EMULATOR_CA_FOLDER=/data \
    OUTLOOK_EMULATOR_READY_FILE=/dev/shm/outlook-emulator.ready
WORKDIR /data
# The user has a number only: it needs no entry in /etc/passwd, and orchestrators can see that it is not root.
USER 4365
EXPOSE 4365
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=200ms CMD ["outlook-emulator", "health"]
ENTRYPOINT ["outlook-emulator"]
CMD ["serve"]
