"""Serves a model over HTTP on loopback until its stdin is closed: `python llama_server.py GGUF KEY` prints its address.

llama.cpp's own server, which speaks OpenAI Chat, OpenAI Responses and Anthropic Messages. In a process of its own,
because the engine's destructor can hang.
"""

import os
import sys
import urllib.request

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = 1024
params.verbosity = -1
params.cache_ram_mib = 0
params.ui = False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.model_alias = {"smollm2"}
params.api_keys = [sys.argv[2]]
server = xllamacpp.Server(params)
urllib.request.urlopen(f"{server.listening_address}/health").close()
print(server.listening_address, flush=True)
sys.stdin.read()
os._exit(0)
