export { type GenerateOptions, Generator, type GeneratorInit } from './generator.ts'
