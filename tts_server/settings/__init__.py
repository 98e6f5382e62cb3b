"""Configuration, from environment variables only."""

from tts_server.settings.fields import SettingsError, all_settings
from tts_server.settings.server import Settings, decoded
from tts_server.settings.table import settings_markdown, settings_table

__all__ = ["Settings", "SettingsError", "all_settings", "decoded", "settings_markdown", "settings_table"]
