"""The reference programs: one folder a chapter, one file a program. Files starting with _ are helpers."""
