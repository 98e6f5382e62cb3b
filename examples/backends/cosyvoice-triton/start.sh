#!/bin/bash
# Stage 3 of runtime/triton_trtllm/run_cosyvoice3.sh, and the bridge. If one of them ends, so does the container.
set -euo pipefail
export CUDA_VISIBLE_DEVICES=0 PYTHONIOENCODING=utf-8
export PYTHONPATH=/workspace/CosyVoice/third_party/Matcha-TTS:/workspace/CosyVoice
cd /workspace/CosyVoice/runtime/triton_trtllm
trap 'kill $(jobs -p)' TERM EXIT
mpirun -np 1 --oversubscribe trtllm-serve serve --tokenizer hf_cosyvoice3_llm trt_engines_bfloat16 \
    --max_batch_size 64 --kv_cache_free_gpu_memory_fraction 0.4 &
tritonserver --model-repository model_repo_cosyvoice3_copy --http-port 18000 --grpc-port 18001 --metrics-port 18002 &
python3 /bridge/bridge.py --backend grpc://127.0.0.1:18001 --model cosyvoice3 --voices /voices &
wait -n
