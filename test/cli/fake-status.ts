import type { RoundInfo, Status } from '#protocols/api'

/** A healthy device's status, changed as a test needs. */
export function fakeStatus(changes: Partial<Status> = {}): Status {
  return {
    schema: 'cotune.status/1',
    role: 'device',
    name: 'kitchen',
    peerId: '12D3KooWKitchen',
    runId: 'run-1',
    version: '0.1.0',
    startedAt: 1_000,
    addresses: ['/ip4/127.0.0.1/tcp/4001'],
    sequence: 0,
    models: [
      {
        role: 'slm',
        name: 'slm-gpt2',
        family: 'gpt2',
        parameters: 1_400_000,
        vocabulary: 2_048,
        digest: 'ab'.repeat(32),
      },
    ],
    peers: [],
    round: null,
    history: [],
    datasets: [],
    ledger: [],
    alerts: [],
    dpmVersion: 0,
    bytesUp: 0,
    bytesDown: 0,
    loopDelayMs: 0,
    engine: {
      executor: 'onnxruntime',
      provider: 'cpu',
      probes: [{ name: 'cpu', works: true, reason: '' }],
    },
    ready: true,
    ...changes,
  }
}

export function fakeRound(changes: Partial<RoundInfo> = {}): RoundInfo {
  return {
    round: 1,
    rounds: 3,
    phase: 'collecting',
    quorum: 2,
    openedAt: 1_000,
    deadline: 61_000,
    participants: [{ id: 'a', name: 'kitchen', phase: 'received', bytes: 2_048, reason: '' }],
    reason: '',
    energyDropped: null,
    finishedAt: null,
    ...changes,
  }
}
