"""Typed configuration: what conf/ and the TIDEMARK_ variables say, validated as a whole before anything is read."""

from jobs.config.project import Project, find_root, load_project, read_project
from jobs.config.settings import Settings, load_settings

__all__ = ["Project", "Settings", "find_root", "load_project", "load_settings", "read_project"]
