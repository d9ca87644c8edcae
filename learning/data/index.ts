export {
  type CollectedExample,
  type CollectedExamples,
  type CollectOptions,
  collectExamples,
  type SkippedRow,
  type Use,
} from './collect-examples.ts'
export { type EncodedExample, type EncodeOptions, encodeExample, encodeText } from './encode.ts'
export { contentId, type Example, isPublic, referencesOf } from './example.ts'
export { type PackedBatch, type PackShape, packExamples, packPairs } from './pack.ts'
export { parseExample, readExamples } from './read-examples.ts'
