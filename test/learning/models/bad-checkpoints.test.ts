import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CotuneError } from '#base'
import { loadCheckpoint } from '#learning/models'
import { hasSharedCheckpoints, REASON, sharedCheckpoint } from './shared-checkpoints.ts'

const ERROR_CODES: Readonly<Record<string, string>> = {
  'config-encoder-model': 'MODEL_TYPE_UNSUPPORTED',
  'config-hidden-mismatch': 'MODEL_TENSOR_SHAPE',
  'config-kv-heads': 'MODEL_CONFIG_INVALID',
  'config-more-layers': 'MODEL_TENSOR_MISSING',
  'config-not-json': 'MODEL_CONFIG_NOT_JSON',
  'config-string-size': 'MODEL_CONFIG_INVALID',
  'config-unknown-model-type': 'MODEL_TYPE_UNSUPPORTED',
  'config-vocab-mismatch': 'MODEL_TENSOR_SHAPE',
  'duplicate-key': 'SAFETENSORS_TENSOR_REPEATED',
  gguf: 'SAFETENSORS_GGUF',
  'header-2pow63': 'SAFETENSORS_HEADER_LENGTH',
  'header-longer-than-file': 'SAFETENSORS_HEADER_LENGTH',
  'header-not-utf8': 'SAFETENSORS_HEADER_INVALID',
  'hole-in-offsets': 'SAFETENSORS_OFFSETS_INVALID',
  'inf-weights': 'MODEL_TENSOR_NOT_FINITE',
  'lfs-pointer': 'SAFETENSORS_LFS_POINTER',
  'missing-tensor': 'MODEL_TENSOR_MISSING',
  'offsets-negative': 'SAFETENSORS_OFFSETS_INVALID',
  'offsets-reversed': 'SAFETENSORS_OFFSETS_INVALID',
  'overlapping-offsets': 'SAFETENSORS_OFFSETS_INVALID',
  'shape-negative': 'SAFETENSORS_SHAPE_INVALID',
  'shard-index-not-json': 'MODEL_INDEX_INVALID',
  'shard-path-traversal': 'MODEL_INDEX_OUTSIDE',
  'size-mismatch': 'SAFETENSORS_SIZE_MISMATCH',
  'tokenizer-ids-past-vocab': 'TOKENIZER_ID_RANGE',
  'tokenizer-unknown-model': 'TOKENIZER_UNSUPPORTED',
  'truncated-data': 'SAFETENSORS_TRUNCATED',
  'unsupported-dtype': 'SAFETENSORS_DTYPE_UNSUPPORTED',
  'wrong-dtype': 'SAFETENSORS_DTYPE_UNKNOWN',
}

const folders = hasSharedCheckpoints ? readdirSync(sharedCheckpoint('bad')) : []

/** The sentence of expected.txt without the advice in brackets. */
function expectedText(folder: string): { kind: string; text: string } {
  const line = readFileSync(join(folder, 'expected.txt'), 'utf8').trim()
  const [, kind = '', text = ''] = /^(\w+):\s*(.*)$/s.exec(line) ?? []
  return { kind, text: text.replace(/ \([^)]*\)/g, '').replace(/;.*$/s, '') }
}

describe.skipIf(!hasSharedCheckpoints)(`malformed checkpoints${REASON}`, () => {
  const bad = folders.filter((name) => name in ERROR_CODES)
  it.each(bad)('%s', async (name) => {
    const folder = sharedCheckpoint('bad', name)
    const error: unknown = await loadCheckpoint(folder).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof CotuneError)) throw error ?? new Error('loaded without a complaint')
    expect(error.code).toBe(ERROR_CODES[name])
    expect(error.hint).not.toBe('')
    const { kind, text } = expectedText(folder)
    expect(kind).toBe('error')
    expect(
      error.message.replace(/ \([^)]*\)/g, '').replace(/: model type/, ' model type'),
    ).toContain(text)
  })

  it.each(['extra-tensor', 'proto-key'])('%s loads with a warning', async (name) => {
    const { warnings, weights } = await loadCheckpoint(sharedCheckpoint('bad', name))
    expect(warnings).toHaveLength(1)
    const quoted = name === 'proto-key' ? '__proto__' : 'model.layers.0.self_attn.q_proj.extra'
    expect(warnings[0]).toEqual({
      code: 'MODEL_TENSOR_UNUSED',
      message: `unused tensor "${quoted}"`,
    })
    expect(Object.getPrototypeOf({})).toBe(Object.prototype)
    const good = await loadCheckpoint(sharedCheckpoint('bad', '_good'))
    expect(weights).toEqual(good.weights)
  })

  it('the controls load without a complaint, in one file and in shards', async () => {
    const good = await loadCheckpoint(sharedCheckpoint('bad', '_good'))
    const sharded = await loadCheckpoint(sharedCheckpoint('bad', '_good-sharded'))
    expect(good.warnings).toEqual([])
    expect(sharded.warnings).toEqual([])
    expect(sharded.weights).toEqual(good.weights)
  })

  it('every folder is covered', () => {
    const covered = new Set([
      ...Object.keys(ERROR_CODES),
      ...['_good', '_good-sharded', 'extra-tensor', 'proto-key'],
    ])
    expect(folders.filter((name) => !covered.has(name))).toEqual([])
  })
})
