/** Names of a lowered program's inputs and outputs. */
export const onnxName = {
  input: (name: string): string => `input:${name}`,
  variable: (name: string): string => `variable:${name}`,
  output: (name: string): string => `output:${name}`,
  update: (name: string): string => `update:${name}`,
}
