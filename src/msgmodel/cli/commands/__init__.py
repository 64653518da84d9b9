"""The commands of `msgmodel`, each in the module with its name, as `<name>_command`.

Rule: a module here is imported when its command runs. What is slow to import is imported inside its functions.
"""
