import { beforeEach, expect, test, vi } from "vitest";
import {
  loadModels,
  mayRun,
  modelsOf,
  type Provider,
  preferredChoice,
  service,
  whyUnavailable,
} from "../src/providers";

function row(name: string, rest: Partial<Provider> = {}): Provider {
  return { name, default_model: "m", wire: "openai_chat", ready: false, needs_key: true, local: false, ...rest };
}

beforeEach(() => {
  service.value = {
    providers: [row("openai"), row("ollama", { needs_key: false }), row("local", { needs_key: false, local: true })],
    default: "openai",
    limits: {},
    models: null,
  };
});

test("a server of the operator's own can be chosen, though nothing says that it is there", () => {
  expect(service.value.providers.filter(mayRun).map(({ name }) => name)).toEqual(["ollama"]);
  expect(whyUnavailable("ollama")).toBeNull();
  expect(whyUnavailable("openai")).toBe("This server has no key for OpenAI.");
  expect(whyUnavailable("local")).toContain("not installed");
});

test("it is not chosen by itself", () => {
  expect(preferredChoice()).toEqual(["local", ""]);
});

test("it is chosen if nothing else can be, or if the server names it", () => {
  const [, ollama] = service.value.providers;
  service.value = { ...service.value, providers: [{ ...(ollama as Provider), default_model: null }], default: "local" };
  expect(preferredChoice()).toEqual(["ollama", ""]);
  service.value = { ...service.value, providers: [row("openai"), ollama as Provider], default: "ollama" };
  expect(preferredChoice()).toEqual(["ollama", ""]);
});

test("its models are asked for once, and again after a failure", async () => {
  const answers = [new Response("{}", { status: 502 }), Response.json({ models: [{ id: "qwen3" }, { id: "llama4" }] })];
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (address: string) => {
    asked.push(address);
    return answers.shift();
  });
  service.value = {
    ...service.value,
    providers: [row("ollama", { needs_key: false, default_model: null })],
    default: "ollama",
  };
  await loadModels("ollama");
  expect(modelsOf("ollama")).toEqual({ models: [], failed: true, loading: false });
  await loadModels("ollama");
  await loadModels("ollama");
  expect(asked).toEqual(["v1/providers/ollama/models", "v1/providers/ollama/models"]);
  expect(preferredChoice()).toEqual(["ollama", "qwen3"]);
  vi.unstubAllGlobals();
});
