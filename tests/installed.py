"""What the built wheel brings, run by the interpreter of a clean environment: `make wheel`.

No more than eleven packages, the core imports without them, the type marker and the chat page are there, and the
command line says what it needs where its extra is missing.
"""

import subprocess
import sys
from importlib.metadata import distributions
from importlib.resources import files

import msgmodel

packages = {found.metadata["Name"].lower() for found in distributions()} - {"pip", "setuptools", "wheel"}
assert "msgmodel" in packages
assert len(packages) <= 11, sorted(packages)
assert not {"httpx2", "asyncio"} & sys.modules.keys()
assert (files("msgmodel") / "py.typed").is_file()
assert (files("msgmodel") / "server" / "page" / "index.html").is_file()

without_extra = subprocess.run([sys.executable, "-m", "msgmodel", "hi"], capture_output=True, text=True, check=False)
assert without_extra.returncode == 1, without_extra
assert "pip install 'msgmodel[cli]'" in without_extra.stderr, without_extra.stderr
assert "Traceback" not in without_extra.stderr

refused = ""
try:
    msgmodel.stream_panels("local", "hi")
except msgmodel.ConfigurationError as error:
    refused = str(error)
assert "pip install 'msgmodel[local]'" in refused, refused

print(f"msgmodel {msgmodel.__version__}: {len(packages)} packages: {', '.join(sorted(packages))}")
