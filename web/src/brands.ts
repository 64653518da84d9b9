/** Names of providers and models as people write them. Pure. */

const BRANDS: Readonly<Record<string, string>> = {
  "azure-anthropic": "Anthropic on Azure",
  "github-copilot": "GitHub Copilot",
  "opencode-zen": "OpenCode Zen",
  "vercel-gateway": "Vercel Gateway",
  ai21: "AI21",
  anthropic: "Anthropic",
  azure: "Azure",
  bedrock: "Bedrock",
  deepseek: "DeepSeek",
  gemini: "Google",
  gpustack: "GPUStack",
  huggingface: "Hugging Face",
  litellm: "LiteLLM",
  llamacpp: "llama.cpp",
  lmstudio: "LM Studio",
  local: "Embedded",
  openai: "OpenAI",
  openrouter: "OpenRouter",
  sglang: "SGLang",
  vllm: "vLLM",
  xai: "xAI",
  zai: "Z.ai",
};

/** Return a provider's name as people write it; a name that is not known begins with a capital. */
export function brandOf(provider: string): string {
  if (Object.hasOwn(BRANDS, provider)) return BRANDS[provider] ?? provider;
  return provider.replace(/(^|[-_\s])(\w)/g, (_, gap: string, letter: string) => (gap && " ") + letter.toUpperCase());
}

/** Return one or two letters that stand for a provider. */
export function initialsOf(provider: string): string {
  const [first = "?", second = ""] = [...brandOf(provider).replace(/[^\p{L}\p{N}]/gu, "")];
  return (first + second).trim();
}

/** Return the letter of a panel by its place: A, B, C. */
export const letterOf = (place: number): string => String.fromCharCode(65 + place);

/** Return a model's name without the date and the path that providers put around it. */
export function shortModel(model: string): string {
  const name = model.split("/").at(-1) ?? model;
  return name.replace(/[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest)$/, "") || model;
}
