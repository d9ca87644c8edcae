import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ModelLibrary, parseModelReference } from '#learning/library'
import { loadCheckpoint } from '#learning/models'
import { type PullInit, type PullProgress, pullModel } from '../../../cli/hub/pull-model.ts'
import { FakeHub, type Interference, sha256 } from './fake-hub.ts'
import { COMMIT, tinyRepository } from './tiny-repository.ts'

const NAME = 'org/tiny'
const WEIGHTS = 'model.safetensors'

let root: string
let library: ModelLibrary
let hub: FakeHub
let waits: number[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cotune-pull-'))
  library = new ModelLibrary(root)
  hub = new FakeHub()
  hub.repositories.set(NAME, tinyRepository())
  await hub.start()
  waits = []
})
afterEach(async () => {
  await hub.stop()
  await rm(root, { recursive: true, force: true })
})

function pull(text = NAME, init: Partial<PullInit> = {}) {
  return pullModel({
    endpoint: hub.endpoint,
    reference: parseModelReference(text),
    library,
    signal: new AbortController().signal,
    clock: {
      now: Date.now,
      sleep: async (ms) => {
        waits.push(ms)
      },
    },
    ...init,
  })
}

const code = (expected: string) => expect.objectContaining({ code: expected })
const stagedFolder = () => join(root, '.partial', `org--tiny@${COMMIT}`)
const partBytes = async () => (await stat(join(stagedFolder(), `${WEIGHTS}.part`))).size
const isWhole = async () => (await library.list()).length === 1

/** Nothing is there to be taken for a model, or to go on from. */
async function expectNothingKept(): Promise<void> {
  expect(await library.list()).toEqual([])
  expect(await library.partials()).toEqual([])
}

/** Does so to the first `times` requests of large files. */
function disturb(times: number, how: (reply: ServerResponse, range: number) => void): void {
  hub.interfere = ({ server, range }, reply) => {
    if (server !== 'files' || times-- <= 0) return false
    how(reply, Number(/\d+/.exec(range ?? '0')?.[0]))
    return true
  }
}

const weights = () => hub.repositories.get(NAME)!.files.get(WEIGHTS)!

/** Sends some bytes from where it was asked to begin, and hangs up. */
function breakAfter(sizeBytes: number) {
  return (reply: ServerResponse, begin: number): void => {
    const total = weights().length
    const range = { 'content-range': `bytes ${begin}-${total - 1}/${total}` }
    reply.writeHead(begin > 0 ? 206 : 200, {
      'content-length': total - begin,
      ...(begin > 0 ? range : {}),
    })
    reply.write(weights().subarray(begin, begin + sizeBytes), () =>
      setTimeout(() => reply.destroy(), 20),
    )
  }
}

it('pulls only what is needed, pinned to the commit, and the model loads', async () => {
  const seen: PullProgress[] = []
  const { folder, manifest } = await pull(NAME, { onProgress: (progress) => seen.push(progress) })
  expect((await readdir(folder)).sort()).toEqual([
    'config.json',
    'cotune-model.json',
    'generation_config.json',
    WEIGHTS,
  ])
  expect(manifest).toMatchObject({
    name: NAME,
    revision: COMMIT,
    labels: ['main'],
    source: `${hub.endpoint}/${NAME}`,
    family: 'llama',
  })
  expect(manifest.files.at(-1)).toEqual({
    name: WEIGHTS,
    sizeBytes: weights().length,
    sha256: sha256(weights()),
  })
  await loadCheckpoint(folder)
  expect(seen.at(-1)?.haveBytes).toBe(seen.at(-1)?.totalBytes)
  expect(hub.seen.some(({ path }) => /README|bin|gguf/.test(path))).toBe(false)

  const before = hub.seen.length
  expect(await pull()).toMatchObject({ folder, isNew: false })
  expect(hub.seen.length - before).toBe(1)
  await pull(`${NAME}@${COMMIT}`)
  expect(hub.seen.length - before).toBe(1)
})

it('takes a branch, a tag or a commit, and remembers by which name it was asked', async () => {
  const { folder } = await pull(`${NAME}@v1.0`)
  await pull(`${NAME}@refs/pr/3`)
  const { manifest } = await pull(`${NAME}@${COMMIT}`)
  expect(manifest.labels).toEqual(['v1.0', 'refs/pr/3'])
  for (const text of [NAME, `${NAME}@v1.0`, `${NAME}@93efa2f`])
    expect((await library.get(text)).folder).toBe(folder)
  await expect(library.get(`${NAME}@main`)).rejects.toThrow(code('MODEL_NOT_IN_LIBRARY'))
})

it('asks a mirror that has no API of revisions for the commit of a file', async () => {
  hub.interfere = ({ path }, reply) => {
    if (path.includes('/revision/')) reply.writeHead(404).end()
    return path.includes('/revision/')
  }
  expect((await pull(`${NAME}@v1.0`)).manifest).toMatchObject({
    revision: COMMIT,
    labels: ['v1.0'],
  })
  await expect(pull(`${NAME}@v9`)).rejects.toThrow(code('MODEL_HUB_NOT_FOUND'))
})

it('pulls the shards that the index names', async () => {
  hub.repositories.set(NAME, tinyRepository('shards', 3))
  const { folder, manifest } = await pull()
  expect(manifest.files.map(({ name }) => name).slice(2)).toEqual([
    'model.safetensors.index.json',
    'model-00001-of-00003.safetensors',
    'model-00002-of-00003.safetensors',
    'model-00003-of-00003.safetensors',
  ])
  await loadCheckpoint(folder)
})

describe('a bad connection', () => {
  it('is gone on with by ranges, as often as bytes come', async () => {
    disturb(12, breakAfter(1_000))
    await pull()
    expect(hub.ranges).toEqual([
      undefined,
      ...Array.from({ length: 12 }, (_, i) => `bytes=${(i + 1) * 1_000}-`),
    ])
    expect(waits).toHaveLength(12)
    expect(Math.max(...waits)).toBeLessThan(2_000)
    expect(await isWhole()).toBe(true)
  })

  it('is given up when nothing comes; the part stays, and the next pull goes on from it', async () => {
    disturb(1, breakAfter(5_000))
    const steady = hub.interfere
    hub.interfere = (seen, reply) => {
      if (steady?.(seen, reply) === true) return true
      if (seen.server === 'files') reply.destroy()
      return seen.server === 'files'
    }
    await expect(pull()).rejects.toThrow(code('MODEL_HUB_UNREACHABLE'))
    expect(waits.length).toBeLessThan(10)
    expect(await library.list()).toEqual([])
    expect(await partBytes()).toBe(5_000)
    hub.interfere = undefined
    hub.seen.length = 0
    await pull()
    expect(hub.ranges).toEqual(['bytes=5000-'])
    expect(await isWhole()).toBe(true)
  })

  it('starts a file over where the server ignores ranges', async () => {
    hub.ignoresRanges = true
    disturb(1, breakAfter(5_000))
    await pull()
    expect(hub.ranges).toEqual([undefined, 'bytes=5000-'])
    expect(await isWhole()).toBe(true)
  })

  it('starts a file over where the server does not know the range', async () => {
    disturb(1, breakAfter(5_000))
    const breaking = hub.interfere as Interference
    hub.interfere = (seen, reply) => {
      if (breaking(seen, reply)) return true
      const isAsked = seen.server === 'files' && seen.range !== undefined
      if (isAsked) reply.writeHead(416).end()
      return isAsked
    }
    await pull()
    expect(hub.ranges).toEqual([undefined, 'bytes=5000-', undefined])
  })

  it('starts a file over where another range comes than it asked for', async () => {
    disturb(1, breakAfter(5_000))
    const breaking = hub.interfere as Interference
    hub.interfere = (seen, reply) => {
      if (breaking(seen, reply)) return true
      if (seen.server !== 'files' || seen.range === undefined) return false
      reply.writeHead(206, { 'content-range': `bytes 7-16/${weights().length}` }).end('0123456789')
      return true
    }
    await pull()
    expect(hub.ranges).toEqual([undefined, 'bytes=5000-', undefined])
  })

  it('is not waited for when it is silent', async () => {
    disturb(1, (reply) => {
      reply.writeHead(200, { 'content-length': weights().length })
      reply.write(weights().subarray(0, 100))
    })
    await pull(NAME, { idleMs: 200 })
    expect(hub.ranges).toEqual([undefined, 'bytes=100-'])
  })

  it('tries again when the server is out of order, and waits as long as it asks', async () => {
    const answers = [
      { status: 503, headers: {}, waits: [1_000, 1_250] },
      { status: 429, headers: { 'retry-after': '7' }, waits: [7_000, 7_000] },
      {
        status: 429,
        headers: { 'retry-after': new Date(Date.now() + 60_000).toUTCString() },
        waits: [55_000, 60_000],
      },
      { status: 429, headers: { ratelimit: '"resolvers";r=0;t=55' }, waits: [55_000, 55_000] },
      { status: 500, headers: {}, waits: [16_000, 20_000] },
    ]
    let next = 0
    hub.interfere = (_, reply) => {
      const answer = answers[next++]
      if (answer !== undefined) reply.writeHead(answer.status, answer.headers).end('no')
      return answer !== undefined
    }
    const told: string[] = []
    await pull(NAME, { onRetry: ({ message }) => told.push(message) })
    for (const [i, { waits: range }] of answers.entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(range[0]!)
      expect(waits[i]).toBeLessThanOrEqual(range[1]!)
    }
    expect(told[1]).toContain('429')
  })

  it('does not wait for hours, nor try for ever', async () => {
    hub.interfere = (_, reply) => {
      reply.writeHead(429, { 'retry-after': '7200' }).end()
      return true
    }
    await expect(pull()).rejects.toThrow(
      expect.objectContaining({ code: 'MODEL_HUB_BUSY', hint: expect.stringContaining('7200 s') }),
    )
    expect(waits).toEqual([])
    hub.interfere = (_, reply) => {
      reply.writeHead(502).end()
      return true
    }
    await expect(pull()).rejects.toThrow(code('MODEL_HUB_BUSY'))
    expect(hub.seen.length).toBeLessThan(12)
  })

  it('that is none says so after a few tries', async () => {
    await hub.stop()
    await expect(pull()).rejects.toThrow(
      expect.objectContaining({
        code: 'MODEL_HUB_UNREACHABLE',
        message: expect.stringContaining('ECONNREFUSED'),
        hint: expect.stringContaining('cotune model import'),
      }),
    )
    expect(waits).toHaveLength(2)
  })

  it('stops at once when told to, and keeps the part', async () => {
    const stop = new AbortController()
    disturb(1, (reply) => {
      reply.writeHead(200, { 'content-length': weights().length })
      reply.write(weights().subarray(0, 3_000))
    })
    const onProgress = ({ file, haveBytes }: PullProgress) => {
      if (file === WEIGHTS && haveBytes >= 3_000) stop.abort()
    }
    await expect(pull(NAME, { signal: stop.signal, onProgress })).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }),
    )
    expect(await library.list()).toEqual([])
    expect(await partBytes()).toBe(3_000)
    await pull()
    expect(hub.ranges.at(-1)).toBe('bytes=3000-')
  })
})

describe('what is wrong is not kept', () => {
  it.each([
    ['the weights', WEIGHTS, 'b'.repeat(64)],
    ['a small file', 'generation_config.json', 'b'.repeat(40)],
  ])('the digest of %s', async (_, file, digest) => {
    hub.repositories.set(NAME, { ...tinyRepository(), digests: { [file]: digest } })
    await expect(pull()).rejects.toThrow(
      expect.objectContaining({
        code: 'MODEL_FILE_CORRUPT',
        message: expect.stringContaining(file),
      }),
    )
    await expectNothingKept()
  })

  it('a part that was damaged meanwhile', async () => {
    await library.stage(NAME, COMMIT, (staged) =>
      writeFile(join(staged, `${WEIGHTS}.part`), Buffer.alloc(1_000, 7)),
    )
    await expect(pull()).rejects.toThrow(code('MODEL_FILE_CORRUPT'))
    await expectNothingKept()
    await pull()
    expect(await isWhole()).toBe(true)
  })

  it('a digest that the reply names otherwise than the listing', async () => {
    hub.interfere = ({ path }, reply) => {
      if (path.includes('/resolve/')) reply.setHeader('x-linked-etag', `"${'d'.repeat(64)}"`)
      return false
    }
    hub.repositories.set(NAME, { ...tinyRepository() })
    await expect(pull()).rejects.toThrow(code('MODEL_FILE_CORRUPT'))
    await expectNothingKept()
  })

  it('more bytes than the file has', async () => {
    disturb(1, (reply) => reply.end(Buffer.concat([weights(), Buffer.alloc(1_000)])))
    await expect(pull()).rejects.toThrow(
      expect.objectContaining({
        code: 'MODEL_FILE_CORRUPT',
        message: expect.stringMatching(/^model.safetensors is longer/),
      }),
    )
    await expectNothingKept()
  })

  it('by the ETag, where the listing names no digest', async () => {
    hub.interfere = ({ path }, reply) => {
      if (!path.includes('/tree/')) return false
      const entries = [...tinyRepository().files].map(([file, { length: size }]) => ({
        type: 'file',
        path: file,
        size,
      }))
      reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(entries))
      return true
    }
    await pull()
    expect(await isWhole()).toBe(true)
    await library.remove(NAME)
    disturbBytes()
    await expect(pull()).rejects.toThrow(code('MODEL_FILE_CORRUPT'))
    await expectNothingKept()
  })

  /** Other bytes of the right size. */
  function disturbBytes(): void {
    const listing = hub.interfere as Interference
    hub.interfere = (seen, reply) => {
      if (listing(seen, reply)) return true
      if (seen.server === 'files') reply.end(Buffer.alloc(weights().length))
      return seen.server === 'files'
    }
  }

  it('a family that is not supported, before its weights are fetched', async () => {
    const repository = tinyRepository()
    const files = new Map(repository.files)
    files.set('config.json', Buffer.from('{"model_type":"mamba"}'))
    hub.repositories.set(NAME, { ...repository, files })
    await expect(pull()).rejects.toThrow(code('MODEL_TYPE_UNSUPPORTED'))
    expect(hub.ranges).toEqual([])
    await expectNothingKept()
  })

  it('weights that are none', async () => {
    const repository = tinyRepository()
    const files = new Map(repository.files)
    files.set(WEIGHTS, Buffer.alloc(9_000, 'x'))
    hub.repositories.set(NAME, { ...repository, files })
    await expect(pull()).rejects.toThrow(code('SAFETENSORS_HEADER_LENGTH'))
    await expectNothingKept()
  })

  it('a repository of pickles', async () => {
    const repository = tinyRepository()
    const files = new Map([...repository.files].filter(([name]) => name !== WEIGHTS))
    hub.repositories.set(NAME, { ...repository, files })
    await expect(pull()).rejects.toThrow(code('MODEL_FILES_MISSING'))
    await expectNothingKept()
  })

  it.each(['../../evil.safetensors', '/evil.safetensors', 'cotune-model.json', 'a\\b.safetensors'])(
    'an index that names %s',
    async (shard) => {
      const repository = tinyRepository('hostile', 2)
      const files = new Map(repository.files)
      files.set(shard, Buffer.from('evil'))
      files.set(
        'model.safetensors.index.json',
        Buffer.from(JSON.stringify({ weight_map: { any: shard } })),
      )
      hub.repositories.set(NAME, { ...repository, files })
      await expect(pull()).rejects.toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^MODEL_INDEX_(OUTSIDE|INVALID)$/) }),
      )
      await expectNothingKept()
      expect(await readdir(root)).toEqual(['.partial'])
    },
  )

  it('names in the listing that lead elsewhere are never asked for', async () => {
    const entry = (path: string) => ({ type: 'file', path, size: 4, oid: 'c'.repeat(40) })
    const listed = ['../config.json', '/etc/passwd', '..', 'sub/config.json'].map(entry)
    hub.repositories.set(NAME, { ...tinyRepository(), listed })
    await pull()
    expect(hub.seen.map(({ path }) => path).join()).not.toMatch(/passwd|sub\/|\.\./)
    expect((await readdir(root)).sort()).toEqual(['.partial', `org--tiny@${COMMIT}`])
  })

  it('what a proxy answers in the place of a hub', async () => {
    hub.interfere = (_, reply) => {
      reply.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in to the network')
      return true
    }
    await expect(pull()).rejects.toThrow(code('MODEL_HUB_UNEXPECTED'))
    hub.interfere = (_, reply) => {
      reply.writeHead(302, { location: '/round' }).end()
      return true
    }
    await expect(pull()).rejects.toThrow(code('MODEL_HUB_UNEXPECTED'))
  })
})

describe('who may', () => {
  it('sends the token to the endpoint and to nobody else', async () => {
    hub.repositories.set(NAME, { ...tinyRepository(), token: 'any-form-of-token' })
    await pull(NAME, { token: 'any-form-of-token' })
    const sent = new Set(hub.seen.map(({ server, authorization }) => `${server} ${authorization}`))
    expect([...sent].sort()).toEqual(['files undefined', 'hub Bearer any-form-of-token'])
    expect(
      await readFile(join(root, `org--tiny@${COMMIT}`, 'cotune-model.json'), 'utf8'),
    ).not.toContain('any-form')
  })

  it('says how to log in, where to accept the licence, and what is not there', async () => {
    hub.repositories.set('org/private', { ...tinyRepository(), token: 'secret' })
    hub.repositories.set('org/gated', { ...tinyRepository(), gated: true })
    const cases = [
      [() => pull('org/private'), 'MODEL_HUB_DENIED', /HF_TOKEN/],
      [() => pull('org/private', { token: 'wrong' }), 'MODEL_HUB_NOT_FOUND', /check the name/],
      [() => pull('org/gated'), 'MODEL_HUB_DENIED', /accept the licence at http:.*org\/gated/],
      [() => pull('org/none'), 'MODEL_HUB_DENIED', /check the name/],
      [() => pull('org/none', { token: 'hf_mine' }), 'MODEL_HUB_NOT_FOUND', /check the name/],
      [() => pull(`${NAME}@v9`), 'MODEL_HUB_NOT_FOUND', /commits/],
    ] as const
    for (const [pulled, expected, hint] of cases)
      await expect(pulled()).rejects.toThrow(
        expect.objectContaining({ code: expected, hint: expect.stringMatching(hint) }),
      )
    expect(await library.list()).toEqual([])
    expect(waits).toEqual([])
  })
})

it('says before the download that the disk is full, and goes on later', async () => {
  const full = new ModelLibrary(root, { freeBytes: async () => 1_000 })
  await expect(pull(NAME, { library: full })).rejects.toThrow(code('DISK_FULL'))
  expect(hub.ranges).toEqual([])
  await pull()
  expect(await isWhole()).toBe(true)
})
