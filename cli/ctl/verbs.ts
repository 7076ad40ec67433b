// The verbs of `millrace ctl`: each asks a node or all of them and prints what they say.
import { Argument, Command, Option } from 'commander'
import { type ControlEnvelope, type Verb, VERBS } from '../../protocol/control/verbs.js'
import { formatDuration, parseDurationMs } from '../../protocol/config/units.js'
import { askNodes, type NodeAnswer, only } from './ask.js'
import { type CtlOptions, durationMs, nodeOptions, print } from './options.js'
import { printable } from '../text-table.js'
import { resultText } from './verb-text.js'

const BOOST_MS = 10 * 60_000

export function verbCommands(): Command[] {
  const plain = (['status', 'actors', 'config', 'drain', 'resume', 'reload'] as const).map((verb) =>
    // `ctl config` is the cluster's; what a node runs with has a name of its own.
    command(verb, verb === 'config' ? 'effective' : verb).action((options: CtlOptions) => run(options, verb)),
  )
  const breaker = command('breaker')
    .argument('<backend>', 'name of the backend')
    .addArgument(new Argument('<action>').choices(['open', 'close', 'reset']))
    .action((backend: string, action: string, options: CtlOptions) =>
      run(options, 'breaker', { backend, action }),
    )
  const restart = command('restart')
    .argument('<actor>', 'name of an actor or of a thread group')
    .action((actor: string, options: CtlOptions) => run(options, 'restart', { actor }))
  const boost = command('boost')
    .option('--service <name>', 'service_name')
    .option('--namespace <name>', 'namespace')
    .option('--pod <name>', 'pod_name')
    .option('--pod-uid <uid>', 'pod_uid')
    .addOption(
      new Option('--for <duration>', 'how long from now on, also where it was longer; 0s ends it')
        .default(BOOST_MS, formatDuration(BOOST_MS))
        .argParser((text) => (parseDurationMs(text) === 0 ? 0 : durationMs(text))),
    )
    .action((options: CtlOptions & BoostFlags) => run(options, 'boost', boostArgs(options)))
  const capture = command('capture')
    .argument('<namespace>', 'namespace of the pod')
    .argument('<pod>', 'name of the pod')
    .option('--container <name>', 'one container of it')
    .action((namespace: string, pod: string, options: CtlOptions & { readonly container?: string }) => {
      const container = options.container === undefined ? {} : { container: options.container }
      return run(options, 'capture', { namespace, pod, ...container })
    })
  return [...plain, breaker, boost, restart, capture]

  function command(verb: Verb, name: string = verb): Command {
    const { summary, effect } = VERBS[verb]
    const text = `${summary}${effect === 'change' ? ' (a change: logged by the node)' : ''}`
    return nodeOptions(
      new Command(name).description(`${text[0]?.toUpperCase()}${text.slice(1)}.`).summary(text),
    )
  }
}

interface BoostFlags {
  readonly service?: string
  readonly namespace?: string
  readonly pod?: string
  readonly podUid?: string
  readonly for: number
}

function boostArgs(flags: BoostFlags): ControlEnvelope['args'] {
  const { service, namespace, pod, podUid: pod_uid, for: forMs } = flags
  const match = Object.entries({ service, namespace, pod, pod_uid }).filter(
    ([, value]) => value !== undefined,
  )
  return { ...Object.fromEntries(match), forMs }
}

/** Exits 1 when a node refused or gave no answer. */
async function run(options: CtlOptions, verb: Verb, args: ControlEnvelope['args'] = {}): Promise<void> {
  const answers = meant(await askNodes(options, verb, args))
  if (options.all !== true) {
    const result = only(answers)
    return print(options.json === true ? JSON.stringify(result) : resultText(verb, result))
  }
  for (const each of answers) print(options.json === true ? JSON.stringify(each) : lineOf(verb, each))
  if (answers.some(({ answer }) => !answer.ok)) process.exitCode = 1
}

/** A pod is on one node: what all others say to its capture is left out, unless nobody has it. */
export function meant(answers: readonly NodeAnswer[]): readonly NodeAnswer[] {
  const others = answers.filter(({ answer }) => answer.ok || answer.code !== 'capture.unknown_pod')
  return others.length > 0 ? others : answers.slice(0, 1)
}

function lineOf(verb: Verb, { node, answer }: NodeAnswer): string {
  if (!answer.ok) return `${node}: failed: ${printable(answer.message)}`
  const text = resultText(verb, answer.result)
  return text.includes('\n') ? `${node}:\n${text.replaceAll(/^/gm, '  ')}` : `${node}: ${text}`
}
