// The command line: finds the command, loads only its file, and turns every error into one line and an exit code.
import { Command, CommanderError } from 'commander'
import { MillraceError, saidOf } from '../protocol/errors.js'
import { readVersion } from '../runtime/version.js'
import { markIds } from './id-words.js'
import { listenForSignals } from './signals.js'

interface CommandEntry {
  readonly name: string
  readonly summary: string
  load(): Promise<Command>
  /** Runs a node: its signals are heard while its modules are still being loaded. */
  readonly isNode?: boolean
}

/** Loaded on demand: `--version` and `validate` need neither the workers nor the backends' clients. */
const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'write a commented starter configuration',
    load: async () => (await import('./init.js')).initCommand(),
  },
  {
    name: 'validate',
    summary: 'check a configuration and tell every problem with its place',
    load: async () => (await import('./validate.js')).validateCommand(),
  },
  {
    name: 'test',
    summary: 'run unit tests of a configuration: lines in, what becomes of them out',
    load: async () => (await import('./test.js')).testCommand(),
  },
  {
    name: 'simulate',
    summary: 'what a configuration would keep of recorded logs, and what it would cost',
    load: async () => (await import('./simulate.js')).simulateCommand(),
  },
  {
    name: 'run',
    summary: 'run the node; with --once read everything, deliver it and exit',
    isNode: true,
    load: async () => (await import('./run.js')).runCommand(),
  },
  {
    name: 'demo',
    summary: 'run a node with generated logs and backends of its own',
    isNode: true,
    load: async () => (await import('./demo.js')).demoCommand(),
  },
  {
    name: 'top',
    summary: 'show a running node live: rates, lag, breakers, memory',
    load: async () => (await import('./top.js')).topCommand(),
  },
  {
    name: 'tap',
    summary: 'print the records that a running node keeps, as they pass',
    load: async () => (await import('./tap.js')).tapCommand(),
  },
  {
    name: 'report',
    summary: 'what a running node keeps, per service and level, and what it costs',
    load: async () => (await import('./report.js')).reportCommand(),
  },
  {
    name: 'tenants',
    summary: 'write the manifests of tenants from a plan: namespaces, labels, retention, budget',
    load: async () => (await import('./tenants.js')).tenantsCommand(),
  },
  {
    name: 'audit',
    summary: 'check that the backends hold every record, repair what is missing',
    load: async () => (await import('./audit.js')).auditCommand(),
  },
  {
    name: 'capture',
    summary: 'list and fetch the last words of containers that died',
    load: async () => (await import('./capture.js')).captureCommand(),
  },
  {
    name: 'ctl',
    summary: 'tell running nodes what to do, and keep the settings of the cluster',
    load: async () => (await import('./ctl.js')).ctlCommand(),
  },
  {
    name: 'dlq',
    summary: 'dead letters: list, show, send again, purge',
    load: async () => (await import('./dlq.js')).dlqCommand(),
  },
  {
    name: 'replay',
    summary: 'send records from the archive or the journal to a backend again',
    load: async () => (await import('./replay.js')).replayCommand(),
  },
  {
    name: 'wal',
    summary: 'inspect and check the journal of a node',
    load: async () => (await import('./wal.js')).walCommand(),
  },
  {
    name: 'bench',
    summary: 'measure this machine, or write logs to measure with',
    load: async () => (await import('./bench.js')).benchCommand(),
  },
]

/** 0 done, 1 ran and found something wrong, 2 bad usage or configuration, 3 ended with dead letters. */
type ExitCode = 0 | 1 | 2 | 3

/**
 * Runs one command. A command reports a finding by `process.exitCode` and a failure by throwing; it never calls process.exit.
 * `argv` is process.argv. Resolves to the exit code.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const debug = argv.includes('--debug')
  process.exitCode = undefined
  listenForClosedPipe()
  try {
    const program = await buildProgram(argv.slice(2))
    await program.parseAsync(markIds(argv.filter((word) => word !== '--debug')))
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return report(error, debug)
  }
}

async function buildProgram(words: readonly string[]): Promise<Command> {
  const program = new Command('millrace')
    .description(
      'A log pipeline for Kubernetes: every kept record in Elasticsearch and Loki, durably and once.',
    )
    .version(readVersion(), '-V, --version', 'print the version')
    .option('--debug', 'show the stack of an error')
    .helpCommand('help [command]', 'show the help of a command')
  const wanted = words.filter((word) => !word.startsWith('-'))
  const name = wanted[0] === 'help' ? wanted[1] : wanted[0]
  for (const entry of COMMANDS) {
    if (entry.name === wanted[0] && entry.isNode === true) listenForSignals()
    if (entry.name === name) program.addCommand((await entry.load()).summary(entry.summary))
    else program.command(entry.name).summary(entry.summary)
  }
  settle(program, 'millrace')
  return program
}

/** Errors of usage become exceptions and one line, in every subcommand too. */
function settle(command: Command, name: string): void {
  command.exitOverride()
  command.configureOutput({
    outputError(message, write) {
      const problem = message
        .replace(/^error: /, '')
        .trim()
        .replaceAll('\n', ' ')
        .replace(/\.$/, '')
      write(`millrace: ${problem}; see \`${name} --help\`\n`)
    },
  })
  for (const child of command.commands) settle(child, `${name} ${child.name()}`)
}

function report(error: unknown, debug: boolean): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const message = saidOf(error)
  const code = error instanceof MillraceError ? error.code : undefined
  for (const line of message.split('\n')) process.stderr.write(`millrace: ${line}\n`)
  if (debug) process.stderr.write(`${stackOf(error)}\n`)
  else if (code === undefined) process.stderr.write('millrace: this is a bug; --debug shows where\n')
  return code !== undefined && /^(?:config|usage|filter)\.|^http\.token_/.test(code) ? 2 : 1
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}

/** `millrace tap | head` closes the pipe: nobody reads on, so there is nothing left to do. */
function listenForClosedPipe(): void {
  // It stays after main has returned: what was printed last may meet the closed pipe only then.
  if (!process.stdout.listeners('error').includes(leaveOnClosedPipe))
    process.stdout.on('error', leaveOnClosedPipe)
}

function leaveOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
}
