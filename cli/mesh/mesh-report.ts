import type { ModelInfo, Scores, Status } from '#protocols/api'
import { renderTable } from '../render/table.ts'
import { formatBytes, formatCount, formatScore } from '../render/units.ts'

/** Per cent. */
export interface MeshScores {
  readonly em: number
  readonly rougeL: number
}

export interface MeshDeviceReport {
  readonly name: string
  readonly domain: string
  readonly slm: {
    readonly family: string
    readonly parameters: number
    readonly vocabulary: number
  }
  /** The small model tuned alone: the same examples, the same number of steps. */
  readonly standalone: MeshScores
  readonly cotuned: MeshScores
  readonly bytesUp: number
  readonly bytesDown: number
}

/** What `cotune mesh --json` prints. */
export interface MeshReport {
  readonly schema: 'cotune.mesh/1'
  readonly rounds: number
  readonly devices: readonly MeshDeviceReport[]
  readonly cloud: {
    readonly llm: { readonly before: MeshScores; readonly after: MeshScores }
    readonly dpm: { readonly before: MeshScores; readonly after: MeshScores }
  }
  readonly seconds: number
}

export function deviceReport(
  domain: string,
  status: Status,
  standalone: Scores,
  cotuned: Scores,
): MeshDeviceReport {
  const slm = status.models.find(({ role }) => role === 'slm')
  return {
    name: status.name,
    domain,
    slm: describeModel(slm),
    standalone: meshScores(standalone),
    cotuned: meshScores(cotuned),
    bytesUp: status.bytesUp,
    bytesDown: status.bytesDown,
  }
}

export function meshScores({ em, rougeL }: Scores): MeshScores {
  return { em, rougeL }
}

function describeModel(model: ModelInfo | undefined): MeshDeviceReport['slm'] {
  const { family = 'unknown', parameters = 0, vocabulary = 0 } = model ?? {}
  return { family, parameters, vocabulary }
}

/** The same for a person: a table and one honest sentence. */
export function renderMeshReport(report: MeshReport): string {
  const perRound = (sizeBytes: number) => formatBytes(sizeBytes / report.rounds)
  const rows = report.devices.map((device) => [
    device.name,
    `${device.slm.family} ${formatCount(device.slm.parameters)}`,
    device.domain,
    ...scoreCells(device.standalone, device.cotuned),
    perRound(device.bytesUp),
    perRound(device.bytesDown),
  ])
  const alone = mean(report.devices.map(({ standalone }) => standalone))
  const together = mean(report.devices.map(({ cotuned }) => cotuned))
  rows.push(['mean', '', '', ...scoreCells(alone, together), '', ''])
  const deviceHead = [
    'DEVICE',
    'MODEL',
    'DOMAIN',
    'EM ALONE',
    'EM CO-TUNED',
    'ROUGE-L ALONE',
    'ROUGE-L CO-TUNED',
  ]
  const traffic = ['SENT/ROUND', 'RECEIVED/ROUND']
  const cloudHead = ['CLOUD MODEL', 'EM BEFORE', 'EM AFTER', 'ROUGE-L BEFORE', 'ROUGE-L AFTER']
  const { llm, dpm } = report.cloud
  return [
    renderTable([...deviceHead, ...traffic], rows, [...deviceHead.slice(3), ...traffic]),
    renderTable(
      cloudHead,
      [
        ['LLM', ...scoreCells(llm.before, llm.after)],
        ['DPM', ...scoreCells(dpm.before, dpm.after)],
      ],
      cloudHead.slice(1),
    ),
    verdict(alone, together, report),
  ].join('\n\n')
}

function scoreCells(first: MeshScores, second: MeshScores): readonly string[] {
  return [first.em, second.em, first.rougeL, second.rougeL].map((score) => formatScore(score))
}

function mean(scores: readonly MeshScores[]): MeshScores {
  const average = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
  return {
    em: average(scores.map(({ em }) => em)),
    rougeL: average(scores.map(({ rougeL }) => rougeL)),
  }
}

function verdict(alone: MeshScores, together: MeshScores, { rounds, seconds }: MeshReport): string {
  const signed = (value: number) => `${value >= 0 ? '+' : ''}${value.toFixed(1)}`
  const em = signed(together.em - alone.em)
  const rougeL = signed(together.rougeL - alone.rougeL)
  return `${rounds} rounds in ${Math.round(seconds)} s. Co-tuned against alone, on the mean: exact match ${em}, Rouge-L ${rougeL} points.`
}
