import { createRandom, type Numbered } from '#base'
import type { PeerEvent, PeerInfo, RoundInfo, Status } from '#protocols/api'

/** A fixed moment, so that pictures and tests never change by themselves. */
export const DEMO_NOW = Date.UTC(2026, 10, 21, 2, 10, 0)

const SECOND = 1_000
const digest = (seed: string) => seed.repeat(16).slice(0, 64)

const DEVICES = [
  { id: '12D3KooWBankA1', name: 'atm-north', state: 'training', rttMs: 12.4 },
  { id: '12D3KooWDineB2', name: 'kitchen-7', state: 'waiting', rttMs: 23.8 },
  { id: '12D3KooWShelC3', name: 'laptop-mia', state: 'syncing', rttMs: 31.1 },
] as const

const PHASES = ['saml', 'received', 'offered'] as const
const BYTES = [0, 209_880, 131_072]

function device(index: number): PeerInfo {
  const { id, name, state, rttMs } = DEVICES[index] ?? DEVICES[0]
  return {
    id,
    name,
    role: 'device',
    state,
    reason: '',
    connected: true,
    rttMs,
    round: 3,
    step: [212, 240, 240][index] ?? 0,
    loss: lossAt(index, 59),
    bytesUp: [424_112, 633_870, 424_390][index] ?? 0,
    bytesDown: 438_204,
    lastSeen: DEMO_NOW - [2, 1, 4][index]! * SECOND,
  }
}

/** A loss that falls as losses do, with noise of its own for each device. */
function lossAt(index: number, point: number): number {
  const random = createRandom(1_000 * index + point)
  const [start, floor, pace] = [
    [3.4, 0.71, 17],
    [3.9, 0.94, 21],
    [4.6, 1.32, 24],
  ][index] ?? [3.4, 0.7, 17]
  return floor! + (start! - floor!) * Math.exp(-point / pace!) + (random.next() - 0.5) * 0.22
}

function pastRound(round: number, tookSeconds: number): RoundInfo {
  const openedAt = DEMO_NOW - (4 - round) * 95 * SECOND
  return {
    round,
    rounds: 5,
    phase: 'published',
    quorum: 3,
    openedAt,
    deadline: openedAt + 180 * SECOND,
    participants: DEVICES.map(({ id, name }) => ({
      id,
      name,
      phase: 'received',
      bytes: 209_880,
      reason: '',
    })),
    reason: '',
    energyDropped: round === 1 ? 0.041 : 0.028,
    finishedAt: openedAt + tookSeconds * SECOND,
  }
}

/** A mesh in the third of five rounds, seen from its cloud peer. */
export const DEMO_STATUS: Status = {
  schema: 'cotune.status/1',
  role: 'cloud',
  name: 'cloud-peer',
  peerId: '12D3KooWCloud0',
  runId: 'run-7f3a91',
  version: '0.1.0',
  startedAt: DEMO_NOW - 412 * SECOND,
  addresses: ['/ip4/192.168.1.20/tcp/4810/p2p/12D3KooWCloud0'],
  sequence: 1_000,
  models: [
    {
      role: 'llm',
      name: 'zoo/llm',
      family: 'llama',
      parameters: 8_912_000,
      vocabulary: 4_096,
      digest: digest('9c41'),
    },
    {
      role: 'dpm',
      name: 'zoo/dpm',
      family: 'llama',
      parameters: 1_540_000,
      vocabulary: 4_096,
      digest: digest('51be'),
    },
  ],
  peers: [
    {
      id: '12D3KooWCloud0',
      name: 'cloud-peer',
      role: 'cloud',
      state: 'waiting',
      reason: '',
      connected: true,
      rttMs: null,
      round: 3,
      step: null,
      loss: null,
      bytesUp: 1_314_612,
      bytesDown: 1_482_372,
      lastSeen: DEMO_NOW,
    },
    device(0),
    device(1),
    device(2),
  ],
  round: {
    round: 3,
    rounds: 5,
    phase: 'collecting',
    quorum: 3,
    openedAt: DEMO_NOW - 48 * SECOND,
    deadline: DEMO_NOW + 132 * SECOND,
    participants: DEVICES.map(({ id, name }, index) => ({
      id,
      name,
      phase: PHASES[index] ?? 'saml',
      bytes: BYTES[index] ?? 0,
      reason: '',
    })),
    reason: '',
    energyDropped: null,
    finishedAt: null,
  },
  history: [pastRound(1, 88), pastRound(2, 81)],
  datasets: [
    {
      name: 'public',
      source: 'public.jsonl',
      train: 1_204,
      evaluation: 136,
      importedAt: DEMO_NOW - 400 * SECOND,
    },
  ],
  ledger: [
    {
      at: DEMO_NOW - 196 * SECOND,
      to: 'all devices',
      kind: 'announcement',
      round: 1,
      bytes: 412,
      sha256: digest('a0c3'),
      sealed: false,
    },
    {
      at: DEMO_NOW - 49 * SECOND,
      to: 'all devices',
      kind: 'announcement',
      round: 3,
      bytes: 415,
      sha256: digest('77d1'),
      sealed: false,
    },
  ],
  alerts: [],
  dpmVersion: 2,
  bytesUp: 1_314_612,
  bytesDown: 1_482_372,
  loopDelayMs: 4.2,
  engine: { executor: 'onnxruntime', provider: 'cpu', probes: [] },
  ready: true,
}

const log = (component: string, message: string): PeerEvent => ({
  type: 'log',
  level: 'info',
  component,
  message,
})

const score = (label: 'before' | 'after', round: number | null, em: number, rougeL: number) =>
  ({
    type: 'scores',
    model: 'dpm',
    label,
    round,
    scores: { em, rougeL, examples: 300, perplexityPerByte: 1.9 - em / 200 },
  }) as const satisfies PeerEvent

/** What happened until `DEMO_NOW`: losses of the devices, the cloud peer's own steps, scores and a log. */
export const DEMO_EVENTS: readonly Numbered<PeerEvent>[] = numbered([
  [-380, log('mesh', 'listening on /ip4/192.168.1.20/tcp/4810')],
  [-340, log('membership', 'atm-north joined with invite 1')],
  [-331, log('membership', 'kitchen-7 joined with invite 2')],
  [-322, log('membership', 'laptop-mia joined with invite 3')],
  [-300, score('before', null, 31.3, 42.7)],
  ...Array.from({ length: 60 }, (_, point): readonly [number, PeerEvent][] =>
    DEVICES.map((_, index) => [
      -280 + point * 4,
      {
        type: 'peer',
        peer: {
          ...device(index),
          state: 'training',
          round: 1 + Math.floor(point / 24),
          loss: lossAt(index, point),
        },
      },
    ]),
  ).flat(),
  ...Array.from({ length: 40 }, (_, point): readonly [number, PeerEvent] => [
    -200 + point,
    {
      type: 'progress',
      phase: 'saml',
      model: point % 2 === 0 ? 'llm' : 'dpm',
      round: 1 + Math.floor(point / 20),
      step: point % 20,
      steps: 20,
      loss: lossAt(point % 2, point + 10),
      tokensPerSecond: 5_120,
    },
  ]),
  [-104, { type: 'version', version: 1, kept: true, reason: '' }],
  [-90, score('after', 2, 52.7, 63.4)],
  [-52, { type: 'version', version: 2, kept: true, reason: '' }],
  [-48, log('round', 'round 3 opened for base 51be51be, quorum 3, 180 s')],
  [-9, log('round', 'update of kitchen-7 received, 210 kB, sealed')],
  [-3, log('transfer', 'update of laptop-mia: 131 kB of 210 kB')],
])

function numbered(
  events: readonly (readonly [seconds: number, event: PeerEvent])[],
): readonly Numbered<PeerEvent>[] {
  return events.map(([seconds, event], index) => ({
    sequence: index + 1,
    at: DEMO_NOW + seconds * SECOND,
    event,
  }))
}
