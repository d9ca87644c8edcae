// Stands in for `cotune daemon` and `cotune cloud` in tests of the mesh command: a real process with the real local API and
// the real way of stopping, but made-up learning. FAKE_PEER_DIES names one that dies when it shall train; FAKE_PEER_ABORTS aborts the round,
// FAKE_PEER_HANGS trains for ever.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { createLogger, EventLog } from '#base'
import { controlSocketPath, createApiServer, type PeerEvent, type RoundInfo } from '#protocols/api'
import { runPeer } from '../../../cli/run-peer.ts'
import { fakeRound, fakeStatus } from '../fake-status.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { home: { type: 'string' }, 'stop-with-parent': { type: 'boolean' } },
})
const home = values.home ?? ''
const name = basename(home)
const role = positionals[0] === 'cloud' ? 'cloud' : 'device'
const events = new EventLog<PeerEvent>()
const logger = createLogger({ name })
let history: RoundInfo[] = []

const server = createApiServer({
  socketPath: controlSocketPath(home),
  role,
  events,
  health: () => ({ live: true, ready: true, checks: [] }),
  handlers: {
    'GET /v1/status': async () =>
      fakeStatus({
        role,
        name,
        history,
        dpmVersion: role === 'cloud' ? 3 : 99,
        bytesUp: 30,
        bytesDown: 60,
      }),
    'POST /v1/invites': async (request) => ({ invite: `for ${request.name}`, expiresAt: 1 }),
    'POST /v1/join': async ({ invite }) => {
      if (invite !== `for ${name}`) throw new Error(`not my invite: ${invite}`)
      return { runId: 'r', cloudId: 'c' }
    },
    'POST /v1/data': async (request) => {
      const rows = readFileSync(request.path, 'utf8').split('\n').filter(Boolean).length
      return { name: request.name, imported: rows, duplicates: 0, skipped: [], dryRun: false }
    },
    'POST /v1/baseline': async ({ rounds }, { signal }) => {
      if (process.env.FAKE_PEER_HANGS === 'yes') await once(signal, 'abort')
      if (process.env.FAKE_PEER_DIES === name) {
        logger.error({}, 'out of memory')
        process.exit(7)
      }
      for (let step = 1; step <= 10; step++) {
        events.emit({
          type: 'progress',
          phase: 'baseline',
          model: 'slm',
          round: null,
          step,
          steps: 10,
          loss: 1,
          tokensPerSecond: 5,
        })
      }
      return { steps: rounds }
    },
    'POST /v1/evaluate': async ({ path = '', label }) => {
      const examples = readFileSync(path, 'utf8').split('\n').filter(Boolean).length
      const em = { before: 10, standalone: 20, cotuned: 30, after: 40 }[label]
      return { em, rougeL: em + 0.5, examples, perplexityPerByte: 2 }
    },
    'POST /v1/run': async ({ rounds, quorum = 1 }) => {
      const phase = process.env.FAKE_PEER_ABORTS === 'yes' ? 'aborted' : 'published'
      const round = fakeRound({ round: rounds, rounds, quorum, phase, reason: 'made up' })
      history = [round]
      events.emit({ type: 'round', round })
      return round
    },
  },
})

process.exitCode = await runPeer({
  create: () => server,
  logger,
  stopWithParent: values['stop-with-parent'] === true,
})
