# vitprof on a CPU, with what measuring needs.
# Build: docker build -t vitprof .
#        --build-arg PIP_EXTRA_INDEX_URL=<index of PyTorch's CPU wheels> makes the image some GB smaller.
# Run:   docker run --rm -v "$PWD:/work" vitprof predict lut.csv deit-small
#        Files in /work are written as user 1000; --user "$(id -u)" writes them as yours.
FROM python:3.11-slim AS wheel
WORKDIR /source
COPY . .
RUN pip install --no-cache-dir build && python -m build --wheel --outdir /dist .

FROM python:3.11-slim
ARG PIP_EXTRA_INDEX_URL
COPY constraints.txt /tmp/constraints.txt
COPY --from=wheel /dist /tmp/dist
RUN pip install --no-cache-dir -c /tmp/constraints.txt "$(ls /tmp/dist/*.whl)[measure]" \
    && rm -r /tmp/dist /tmp/constraints.txt \
    && useradd --create-home --uid 1000 vitprof \
    && mkdir /work && chown vitprof:vitprof /work
USER vitprof
WORKDIR /work
# Fails the build where vitprof does not run; 1 says that the building machine is noisy.
RUN vitprof doctor --quick || [ $? -eq 1 ]
ENTRYPOINT ["vitprof"]
CMD ["--help"]
