"""The reference programs: each folder is a chapter, each file a program. Files whose names start with _ are helpers."""
