import type { Scores } from '#learning/tuning'
import { type ModelRecipe, SEED } from './recipe.ts'
import type { StageFacts, TrainingFacts } from './training-facts.ts'

export interface CardFacts extends TrainingFacts {
  readonly recipe: ModelRecipe
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
| training rows | ${facts.rows.toLocaleString('en-US')} public rows |

## Training

| stage | what | steps | tokens | last loss (nats a token) | minutes on one core |
|---|---|---|---|---|---|
${facts.stages.map((stage) => stageLine(recipe, stage)).join('\n')}

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

function stageLine({ pretraining, refining }: ModelRecipe, facts: StageFacts): string {
  const what =
    facts.stage === 'pretraining'
      ? `${pretraining.epochs} epochs and ${pretraining.proseTokens.toLocaleString('en-US')} tokens of public-domain novels`
      : `${refining?.epochs ?? 0} epochs of at most ${refining?.rowsPerDomain ?? 0} rows a domain, answers only`
  const number = (value: number) => value.toLocaleString('en-US')
  return `| ${facts.stage} | ${what} | ${number(facts.steps)} | ${number(facts.tokens)} | ${facts.finalLoss.toFixed(3)} | ${(facts.seconds / 60).toFixed(1)} |`
}
