export {
  type GenerateIdsOptions,
  type GenerateOptions,
  Generator,
  type GeneratorInit,
} from './generator.ts'
export type { Sampling } from './sampling.ts'
