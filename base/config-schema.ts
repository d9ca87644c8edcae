import type { z } from 'zod'

/** What the loader needs to know of a zod schema: its keys, and what kind of value stands at a leaf. */
export type ConfigNode =
  | { readonly kind: 'section'; readonly keys: ReadonlyMap<string, ConfigNode> }
  | { readonly kind: 'open' }
  | { readonly kind: 'text' }
  | { readonly kind: 'list' }
  | { readonly kind: 'value' }

/** Reads the shape of `schema`, looking through defaults and optionals. A record is open: any key is fine. */
export function describeSchema(schema: z.core.$ZodType): ConfigNode {
  const def = schema._zod.def as unknown as {
    readonly type: string
    readonly innerType?: z.core.$ZodType
    readonly in?: z.core.$ZodType
    readonly shape?: Readonly<Record<string, z.core.$ZodType>>
  }
  if (def.innerType) return describeSchema(def.innerType)
  if (def.type === 'pipe' && def.in) return describeSchema(def.in)
  if (def.type === 'object' && def.shape) {
    const entries = Object.entries(def.shape).map(
      ([key, child]) => [key, describeSchema(child)] as const,
    )
    return { kind: 'section', keys: new Map(entries) }
  }
  if (def.type === 'record') return { kind: 'open' }
  if (def.type === 'array') return { kind: 'list' }
  return { kind: def.type === 'string' || def.type === 'enum' ? 'text' : 'value' }
}
