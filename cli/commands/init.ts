import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Argument, Command } from 'commander'
import { CotuneError, cotuneHome, EXIT, packagePath, writeFileAtomic } from '#base'
import type { Role } from '#protocols/api'
import type { CommandContext } from '../command-context.ts'
import { configPath, type InitialConfig, renderConfig } from '../config-file.ts'
import { modelSetting } from '../model-setting.ts'
import { addressList, plainName } from '../options.ts'

interface InitOptions {
  readonly home?: string
  readonly name?: string
  readonly listen?: readonly string[]
  readonly slm?: string
  readonly dpm?: string
  readonly llm?: string
  readonly force?: boolean
  readonly json?: boolean
}

/** `cotune init [device | cloud]`: a home with an identity and a config.toml. */
export function initCommand({ io }: CommandContext): Command {
  return new Command('init')
    .description("set up a peer's folder: identity and config.toml")
    .addArgument(
      new Argument('[role]', 'what this machine shall be')
        .choices(['device', 'cloud'])
        .default('device'),
    )
    .option('--home <dir>', 'the folder (default: $COTUNE_HOME, else ~/.local/share/cotune)')
    .option('--name <name>', "what others call it (default: this machine's name)", plainName)
    .option(
      '--listen <addresses>',
      'multiaddrs, separated by commas (default: a cloud peer on port 4001, a device on loopback)',
      addressList,
    )
    .option('--slm <model>', "a device's small model (default: one of the package)")
    .option('--dpm <model>', 'the proxy model that all share (default: the one of the package)')
    .option('--llm <model>', "the cloud peer's large model (default: the one of the package)")
    .option('--force', 'write a new config.toml over an old one; the identity is kept')
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      `
A model is a folder as Hugging Face lays it out (config.json, model.safetensors, tokenizer.json), or the name of one
that \`cotune model pull\` fetched.

Examples:
  $ cotune init
  $ cotune init cloud --home ~/cloud --listen /ip4/0.0.0.0/tcp/4001
  $ cotune init device --name kitchen --slm HuggingFaceTB/SmolLM2-135M`,
    )
    .action(async (role: Role, options: InitOptions) => {
      const home = cotuneHome(options.home)
      const path = configPath(home)
      if (existsSync(path) && options.force !== true) throw alreadyThere(path)
      assertOwnModels(role, options)
      const config = await initialConfig(role, options)
      // libp2p's keys take a while to load: only the commands that need them pay for it.
      const { loadIdentity } = await import('#protocols/mesh')
      const { peerId } = await loadIdentity(join(home, 'identity.key'))
      await writeFileAtomic(path, renderConfig(role, config), 0o600)
      const text =
        options.json === true
          ? JSON.stringify({ role, home, peerId, path })
          : nextSteps(role, home, peerId)
      io.stdout.write(`${text}\n`)
    })
}

async function initialConfig(role: Role, options: InitOptions): Promise<InitialConfig> {
  const model = async (given: string | undefined, name: string) =>
    given === undefined ? packagePath('zoo', name) : modelSetting(given)
  const dpm = await model(options.dpm, 'dpm')
  return {
    name: options.name ?? (hostname().split('.')[0] || role),
    listen: options.listen ?? [role === 'cloud' ? '/ip4/0.0.0.0/tcp/4001' : '/ip4/127.0.0.1/tcp/0'],
    models:
      role === 'cloud'
        ? { llm: await model(options.llm, 'llm'), dpm }
        : { slm: await model(options.slm, 'slm-llama'), dpm },
  }
}

/** A model that the role does not have would be left out in silence. */
function assertOwnModels(role: Role, { slm, llm }: InitOptions): void {
  const [peer, given, option, own] =
    role === 'cloud'
      ? (['the cloud peer', slm, '--slm', '--llm'] as const)
      : (['a device', llm, '--llm', '--slm'] as const)
  if (given === undefined) return
  throw new CotuneError('CLI_USAGE', `${option} names no model of ${peer}`, {
    hint: `${peer} has --dpm and ${own}; leave out ${option}, or name the other role`,
    exit: EXIT.usage,
  })
}

function alreadyThere(path: string): CotuneError {
  return new CotuneError('INIT_EXISTS', `${path} exists`, {
    hint: 'edit it, or give --force to write a new one (the identity is kept)',
    data: { path },
    exit: EXIT.config,
  })
}

function nextSteps(role: Role, home: string, peerId: string): string {
  const flag = process.env.COTUNE_HOME === home ? '' : ` --home ${home}`
  const steps =
    role === 'cloud'
      ? [
          `cotune cloud${flag}`,
          `cotune data import public.jsonl${flag}`,
          `cotune invite${flag}`,
          `cotune round start${flag}`,
        ]
      : [`cotune daemon${flag}`, `cotune join INVITE${flag}`, `cotune data import my.jsonl${flag}`]
  return [
    `${role} ${peerId}`,
    `home ${home}`,
    '',
    'next:',
    ...steps.map((step) => `  ${step}`),
  ].join('\n')
}
