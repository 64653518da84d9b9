/** Texts of the scenes that show how text is drawn. */

export const HASH_MAP = `A hash map keeps pairs of a key and a value. It turns the key into a number, the *hash*, and takes the number as the place where the pair is kept.

### A small example

| Key | Hash | Place |
|-----|-----:|------:|
| tea | 4213 | 5 |
| coffee | 977 | 1 |

\`\`\`python
def place(key: str, size: int = 8) -> int:
    """Return where a pair is kept."""
    return hash(key) % size  # 5 for "tea"
\`\`\`

With a good hash function a million entries are found **as quickly as ten**.`;

/** A picture, as base64. */
export const PIXELS =
  "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSI2NDAiIGhlaWdodD0iMzYwIj48cmVjdCB3aWR0aD0iNjQwIiBoZWlnaHQ9IjM2MCIgZmlsbD0iIzljYiIvPjxjaXJjbGUgY3g9IjMyMCIgY3k9IjE0MCIgcj0iNjAiIGZpbGw9IiNmZmU5YjAiLz48cmVjdCB5PSIyMjAiIHdpZHRoPSI2NDAiIGhlaWdodD0iMTQwIiBmaWxsPSIjMmY2ZjdmIi8+PC9zdmc+";

export const MATHS = `The residence time follows from the volume $V = 21\\,700\\ \\mathrm{km}^3$ and the outflow $Q$:

$$\\tau = \\frac{V}{Q} = \\frac{21\\,700}{940} \\approx 23\\ \\text{years}, \\qquad \\int_0^\\infty e^{-t/\\tau}\\,dt = \\tau$$

> Half of the water is still there after $\\tau \\ln 2$, about 16 years.

1. Salt water is heavy, so it stays **below 70 m**.
2. Fresh water is light:
   - rivers bring it,
   - storms mix it.

| Water | Surface, g/kg | Rivers, km³ a year | Way out | Depth, m | Area, km² |
|-------|-----:|------:|------|------:|------:|
| North Atlantic | 35.4 | – | open | 3,646 | 41,490,000 |
| Gotland Deep | 7.1 | 440 | sills of 8 m and 18 m | 249 | 52,000 |

\`\`\`typescript
const residence = (volume: number, outflow: number): number => volume / outflow; // years, if both are in cubic kilometers and cubic kilometers a year
\`\`\`

A word as long as Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft, an address such as https://example.org/a/very/long/path/that/goes/on/and/on/without/any/break/at/all?with=a&query=as-well, and \`inline_code_that_is_long\`.`;

export const HOSE = `**About 476 million years.** The canyon holds roughly 4.17 trillion cubic meters, and a hose gives one cubic meter an hour:

$$t = \\frac{V}{Q} = \\frac{4.17 \\times 10^{12}\\ \\mathrm{m}^3}{1\\ \\mathrm{m}^3/\\mathrm{h}} \\approx 4.76 \\times 10^{8}\\ \\text{years}$$

\`\`\`python
volume, flow = 4.17e12, 1.0  # m³, m³ an hour
years = volume / flow / 24 / 365.25
print(f"{years / 1e6:.0f} million years")  # 476
\`\`\`

The whole Colorado River would need about two centuries.`;

/** It ends in the middle of a sentence. */
export const HOSE_CUT = `Take a hose of 17 liters a minute, so $Q \\approx 1\\ \\mathrm{m}^3/\\mathrm{h}$.

- The canyon: $V \\approx 4.17 \\times 10^{12}\\ \\mathrm{m}^3$
- Hours in a year: 8,766
- So $t = V / Q \\approx 476$ million years

To put that into perspective: if you had opened the tap when the first fish swam in the seas, the water would only now`;
