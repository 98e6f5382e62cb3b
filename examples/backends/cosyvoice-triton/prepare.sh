#!/bin/bash
# Stages 0 to 2 of runtime/triton_trtllm/run_cosyvoice3.sh: models, engines, and Triton's model repository.
set -euo pipefail
commit=ace7c47f41bbd303aa6bf1ea80e6f9fbd595cd40
cd /workspace
[ -d CosyVoice ] || git clone https://github.com/FunAudioLLM/CosyVoice.git
cd CosyVoice
git checkout "$commit"
git submodule update --init --recursive
cd runtime/triton_trtllm
bash run_cosyvoice3.sh 0 2
