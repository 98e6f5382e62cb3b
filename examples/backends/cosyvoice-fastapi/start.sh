#!/bin/bash
# CosyVoice's FastAPI server, and the bridge. If one of them ends, so does the container.
set -euo pipefail
trap 'kill $(jobs -p)' TERM EXIT
(cd /opt/CosyVoice/CosyVoice/runtime/python/fastapi && exec python3 server.py --port 50000 --model_dir "$MODEL") &
python3 /bridge/bridge.py --backend http://127.0.0.1:50000 --rate 22050 --most 1 &
wait -n
