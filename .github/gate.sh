#!/usr/bin/env bash
# What action.yml runs: `vitprof gate` with the action's inputs, which are in the environment.
set -euo pipefail

arguments=()
given() { # OPTION VALUE: the option, where the input is not empty
  if [ -n "$2" ]; then arguments+=("$1=$2"); fi
}

given --config "$CONFIG"
given --table "$TABLE"
while IFS= read -r model; do
  given --model "$model"
done <<<"$MODELS"
given --max-latency "$MAX_LATENCY"
given --max-memory "$MAX_MEMORY"
given --base "$BASE"
given --head "$HEAD"
given --max-regression "$MAX_REGRESSION"
given --time "$TIME"
given --junit "$JUNIT"
if [ "$ALLOW_OTHER_OUTPUTS" = true ]; then arguments+=(--allow-other-outputs); fi
if [ "$SUMMARY" = true ]; then given --summary "${GITHUB_STEP_SUMMARY:-}"; fi

code=0
"$VITPROF" gate "${arguments[@]}" || code=$?
case $code in
  0) verdict=passed ;;
  3) verdict=failed ;;
  4) verdict=undecided ;;
  *) verdict=error ;;
esac
echo "verdict=$verdict" >>"$GITHUB_OUTPUT"
if [ "$verdict" = undecided ] && [ "$TOO_NOISY" = warn ]; then
  echo "::warning::vitprof gate: too noisy or too uncertain to say; see the summary of the job."
  exit 0
fi
exit "$code"
