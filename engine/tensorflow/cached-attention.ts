import type { NodeOf } from '../node.ts'
import type { Evaluation, TfTensor } from './evaluation.ts'

/** Later than any token: where a column of the cache lies that does not count. */
const NEVER = 1e9

/** Attention over the cached and the new columns at once, by their positions. */
export function evaluateCachedAttention(
  node: NodeOf<'cachedAttention'>,
  { tf, value }: Evaluation,
): TfTensor {
  const [queries, keys, values, cachedKeys, cachedValues, lengths] = node.inputs.map(value) as [
    TfTensor,
    TfTensor,
    TfTensor,
    TfTensor,
    TfTensor,
    TfTensor,
  ]
  const { scale, window, softcap, alibiSlopes } = node.parameters
  const [batch, groups, cached, size] = cachedKeys.shape as [number, number, number, number]
  const [tokens, width] = queries.shape as [number, number]
  const [length, heads] = [tokens / batch, width / size]
  const byHead = (x: TfTensor, count: number) =>
    tf.transpose(tf.reshape(x, [batch, length, count, size]), [0, 2, 1, 3])
  /** [B, H, T + S, D]: each group's columns once for each of its heads. */
  const columns = (old: TfTensor, own: TfTensor) => {
    const joined = cached === 0 ? byHead(own, groups) : tf.concat([old, byHead(own, groups)], 2)
    const all = tf.reshape(joined, [batch, groups, 1, cached + length, size])
    const repeated = tf.tile(all, [1, 1, heads / groups, 1, 1])
    return tf.reshape(repeated, [batch, heads, cached + length, size])
  }

  const past = tf.relu(tf.sub(tf.cast(tf.reshape(lengths, [batch, 1]), 'float32'), length))
  const own = tf.add(past, tf.reshape(tf.range(0, length), [1, length]))
  const old = tf.tile(tf.reshape(tf.range(0, cached), [1, cached]), [batch, 1])
  const counted = tf.where(tf.less(old, past), old, tf.fill([batch, cached], NEVER))
  const at = tf.reshape(tf.concat([counted, own], 1), [batch, 1, 1, cached + length])
  const distance = tf.sub(tf.reshape(own, [batch, 1, length, 1]), at)

  const products = tf.matMul(byHead(queries, heads), columns(cachedKeys, keys), false, true)
  const scaled = tf.mul(products, scale)
  let scores = softcap === undefined ? scaled : tf.mul(tf.tanh(tf.div(scaled, softcap)), softcap)
  if (alibiSlopes) {
    const slopes = tf.tensor([...alibiSlopes], [1, heads, 1, 1])
    scores = tf.sub(scores, tf.mul(slopes, distance))
  }
  const seen = tf.logicalAnd(
    tf.greaterEqual(distance, 0),
    tf.less(distance, window ?? 2 * NEVER),
  ) as TfTensor
  const hidden = tf.where(tf.broadcastTo(seen, scores.shape), scores, tf.fill(scores.shape, -NEVER))
  const mixed = tf.matMul(tf.softmax(hidden), columns(cachedValues, values))
  return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [tokens, width])
}
