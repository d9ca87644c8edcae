import type { Scores } from '#learning/tuning'
import type { ModelRecipe } from './recipe.ts'
import { SEED } from './recipe.ts'

export interface CardFacts {
  readonly recipe: ModelRecipe
  readonly parameters: number
  readonly vocabulary: number
  readonly rows: number
  readonly domains: readonly string[]
  readonly steps: number
  readonly tokens: number
  readonly finalLoss: number
  readonly seconds: number
  /** By domain, on `valid`. */
  readonly scores: ReadonlyMap<string, Scores>
}

const WHAT: Readonly<Record<ModelRecipe['name'], string>> = {
  llm: 'The large model of the example mesh: it stands for the model that the cloud hosts.',
  dpm: 'The distilled proxy model of the example mesh: the same tokenizer as the large model, distilled from it.',
  'slm-gpt2': 'A small model of the example mesh, for a device.',
  'slm-llama': 'A small model of the example mesh, for a device.',
  'slm-qwen2': 'A small model of the example mesh, for a device.',
}

/** The README.md of a zoo model: what it is, what it saw, what was measured. */
export function modelCard(facts: CardFacts): string {
  const { recipe, scores } = facts
  const table = [...scores]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([domain, s]) =>
        `| ${domain} | ${s.examples} | ${s.em.toFixed(1)} | ${s.rougeL.toFixed(1)} | ${s.perplexityPerByte.toFixed(3)} |`,
    )
  return `---
license: apache-2.0
tags: [cotune]
---

# ${recipe.name}

${WHAT[recipe.name]} Made by \`npm run zoo\` with Cotune's own engine, from seed ${SEED}. It is a toy: it answers the short
instructions it was trained on, and nothing else.

| | |
|---|---|
| family | ${String(recipe.config.model_type)} |
| parameters | ${facts.parameters.toLocaleString('en-US')} |
| vocabulary | ${facts.vocabulary} (${recipe.tokenizer.kind}, trained by us) |
| training rows | ${facts.rows.toLocaleString('en-US')} public rows, ${recipe.epochs} epochs |
| prose | ${recipe.proseTokens.toLocaleString('en-US')} tokens of public-domain novels |
| steps | ${facts.steps.toLocaleString('en-US')}, ${facts.tokens.toLocaleString('en-US')} tokens in all |
| last training loss | ${facts.finalLoss.toFixed(3)} nats a token |
| training time | ${(facts.seconds / 60).toFixed(1)} minutes, on two shared cores |

## Data

Domains: ${facts.domains.join(', ')}. A \`train\` row is public when the first hexadecimal digit of SHA-256(id) is even, else private.
${
  recipe.name === 'llm' || recipe.name === 'dpm'
    ? 'This model saw public rows only.'
    : 'This model saw public rows only, and no row at all of banking, dining, shell, everyday, assistant, math nor of examples/data.'
}
No model saw a row of \`valid\` or \`test\`. The rows come from openly licensed sources (CC0, CC BY, CC BY-SA, MIT, BSD, Apache-2.0), the prose
is in the public domain.

## Scores

Measured on \`valid\`, greedy, in per cent (perplexity per UTF-8 byte of the answer):

| domain | examples | EM | Rouge-L | perplexity per byte |
|---|---|---|---|---|
${table.join('\n')}
`
}
