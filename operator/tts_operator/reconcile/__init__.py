"""Observe, decide, act for one TTSService: apply, prune, status."""

from tts_operator.reconcile.analysis.runner import AnalysisRunner
from tts_operator.reconcile.reconciler import Reconciler

__all__ = ["AnalysisRunner", "Reconciler"]
