# vitprof on a CPU, with what measuring needs. Build: docker build -t vitprof .
# Run: docker run --rm -v "$PWD:/work" vitprof predict --table lut.csv --model deit-small
FROM python:3.11-slim AS wheel
WORKDIR /source
COPY . .
RUN pip install --no-cache-dir build && python -m build --wheel --outdir /dist .

FROM python:3.11-slim
COPY constraints.txt /tmp/constraints.txt
COPY --from=wheel /dist /tmp/dist
RUN pip install --no-cache-dir -c /tmp/constraints.txt "$(ls /tmp/dist/*.whl)[measure]" \
    && rm -r /tmp/dist /tmp/constraints.txt \
    && useradd --create-home vitprof
USER vitprof
WORKDIR /work
# Fails the build where vitprof does not run; 1 says that the building machine is noisy.
RUN vitprof doctor --quick || [ $? -eq 1 ]
ENTRYPOINT ["vitprof"]
CMD ["--help"]
