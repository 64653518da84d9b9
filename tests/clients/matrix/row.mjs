// What every program of the matrix asks `msgmodel serve`; see row.py.
export const URL = `${process.argv[2]}/v1`;
export const MODEL = "openai/gpt-4.1";
export const KEY = "any";
export const ASK = "Why is the sea salty?";
export const CUT = "Say something that is cut.";
export const STALL = "Stall after the first word.";
export const FAIL = "Fail.";
export const WEATHER = "What is the weather in Oslo?";
export const PERSON = "Who is Ann?";
export const PERSON_SCHEMA = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
export const WEATHER_TOOL = {
  type: "function",
  function: { name: "weather", description: "The weather of a city.", parameters },
};

export function weather({ city }) {
  if (city !== "Oslo") throw new Error(city);
  return "sunny";
}

/** Do each thing, and print what was seen: its result, or the words of the exception. */
export async function printRow(things) {
  const seen = {};
  for (const [name, see] of Object.entries(things))
    seen[name] = await see().catch((error) => `${error.name}: ${error.message}`.slice(0, 600));
  console.log(JSON.stringify(seen));
}
