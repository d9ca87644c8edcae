import { type Command, InvalidArgumentError } from 'commander'
import { byteSize, cotuneHome } from '#base'
import { type ApiClient, controlSocketPath, createApiClient } from '#protocols/api'

export interface PeerOptions {
  readonly home?: string
  readonly json?: boolean
}

/** Adds the options of every command that talks to a running peer. */
export function withPeerOptions(command: Command): Command {
  return command
    .option('--home <dir>', "the peer's folder (default: $COTUNE_HOME, else ~/.local/share/cotune)")
    .option('--json', 'print JSON on stdout')
}

/** The client of the peer whose home the options name. */
export function clientOf(options: PeerOptions): ApiClient {
  return createApiClient(controlSocketPath(cotuneHome(options.home)))
}

/** A whole number from 1. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('a whole number of at least 1 is needed.')
}

/** A number from 0. */
export function nonNegative(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value
  throw new InvalidArgumentError('a number of at least 0 is needed.')
}

/** A parser of numbers above 0 and at most `most`. */
export function positiveUpTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (value > 0 && value <= most) return value
    throw new InvalidArgumentError(`a number above 0 and at most ${most} is needed.`)
  }
}

/** A parser of durations from a second to `most`, such as `30d`. */
export function durationUpTo(most: string): (text: string) => number {
  return (text) => {
    const value = durationMs(text)
    if (value >= 1_000 && value <= durationMs(most)) return value
    throw new InvalidArgumentError(`a duration from 1s to ${most} is needed.`)
  }
}

/** `90s`, `10m`, `2h`, `1d` in milliseconds. */
export function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? '']
  if (unit !== undefined) return Math.round(Number(match?.[1]) * unit)
  throw new InvalidArgumentError('a duration such as 90s, 10m or 2h is needed.')
}

/** `4GB` or `900MiB` in bytes. */
export function sizeInBytes(text: string): number {
  const bytes = byteSize(text)
  if (bytes !== undefined) return bytes
  throw new InvalidArgumentError('a size such as 4GB, 900MB or 4GiB is needed.')
}

/** `a,b,c`. */
export function commaList(text: string): readonly string[] {
  const items = text.split(',').map((item) => item.trim())
  if (items.every((item) => item !== '')) return items
  throw new InvalidArgumentError('names separated by commas are needed.')
}

/** `/ip4/0.0.0.0/tcp/4001,/ip6/::/tcp/4001`. */
export function addressList(text: string): readonly string[] {
  const addresses = commaList(text)
  if (addresses.every((each) => /^\/(ip[46]|dns[46]?)\/[^/]+\/tcp\/\d{1,5}(\/|$)/.test(each))) {
    return addresses
  }
  throw new InvalidArgumentError('multiaddrs such as /ip4/0.0.0.0/tcp/4001 are needed.')
}

/** A name of a peer or a dataset. */
export function plainName(text: string): string {
  if (/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u.test(text)) return text
  throw new InvalidArgumentError(
    'up to 64 letters, digits, spaces, dots, dashes and underscores are needed, the first a letter or digit.',
  )
}

/** `instruction=question,output=answer`. */
export function columnMap(text: string): Readonly<Record<string, string>> {
  const pairs = commaList(text).map((pair) => pair.split('='))
  if (pairs.every((pair) => pair.length === 2 && pair.every((part) => part !== ''))) {
    return Object.fromEntries(pairs) as Record<string, string>
  }
  throw new InvalidArgumentError('pairs such as instruction=question,output=answer are needed.')
}
