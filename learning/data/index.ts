export { type EncodedExample, type EncodeOptions, encodeExample, encodeText } from './encode.ts'
export { contentId, type Example, isPublic, referencesOf } from './example.ts'
export { type PackedBatch, type PackShape, packExamples, packPairs } from './pack.ts'
export { parseExample, readExamples } from './read-examples.ts'
