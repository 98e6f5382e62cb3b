"""The manifests in examples/ with a TTSService, which people apply."""

from devcluster.product import ROOT

FOLDER = ROOT / "examples"
RECIPES = sorted(file for file in (FOLDER / "backends").glob("*/*.yaml") if "kind: TTSService" in file.read_text())
EXAMPLES = sorted(FOLDER.glob("*.yaml")) + RECIPES
NAMES = [str(file.relative_to(FOLDER)) for file in EXAMPLES]
"""What a test calls each of them, and people after `-f examples/`."""
