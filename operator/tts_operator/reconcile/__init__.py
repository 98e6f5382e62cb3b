"""Reconcile one TTSService: observe, decide, apply, prune, report."""

from tts_operator.reconcile.analysis.runner import AnalysisRunner
from tts_operator.reconcile.reconciler import Reconciler

__all__ = ["AnalysisRunner", "Reconciler"]
