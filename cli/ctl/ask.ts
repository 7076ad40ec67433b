// Asks one node by its socket, or one or all over NATS, and gives each answer with the node's name.
import type { ControlAnswer, ControlEnvelope, Verb } from '../../protocol/control/verbs.js'
import { MillraceError, toWireError } from '../../protocol/errors.js'
import { loadReach } from '../../runtime/config/reach.js'
import { askSocket } from '../../runtime/control/socket-client.js'
import { warn } from '../options.js'
import { caller, type CtlOptions } from './options.js'
import { openSession, type Session } from './session.js'

export interface NodeAnswer {
  readonly node: string
  readonly answer: ControlAnswer
}

/** Nodes that are asked at the same time. */
const AT_ONCE = 64

/** All nodes that were meant, in order of their names. One that fails is an answer too; only where none could be asked is it an error. */
export async function askNodes(
  options: CtlOptions,
  verb: Verb,
  args: ControlEnvelope['args'] = {},
): Promise<NodeAnswer[]> {
  const envelope: ControlEnvelope = { verb, args, by: caller() }
  if (options.node === undefined && options.all !== true && options.nats === undefined) {
    const { node } = loadReach(options.config, ['node'], warn)
    const answer = await askSocket(node.data_dir, envelope, { timeoutMs: options.timeout })
    return [{ node: node.id, answer }]
  }
  const session = await openSession(options)
  try {
    if (options.node !== undefined)
      return [{ node: options.node, answer: await session.ask(options.node, verb, envelope) }]
    if (options.all !== true)
      throw new MillraceError('usage.node', 'name a node with --node, or ask all of them with --all')
    const members = (await session.members()).map(({ node }) => node)
    if (members.length === 0) throw nobody(session)
    return await askEach(session, members, verb, envelope)
  } finally {
    await session.close()
  }
}

export function nobody({ cluster, connection }: Session): MillraceError {
  const which = cluster === undefined ? '' : ` of cluster ${cluster}`
  const text = `no node${which} answers on NATS ${connection.getServer()}; start one with \`millrace run\`, with a section nats in its configuration`
  return new MillraceError('node.unreachable', text)
}

export async function askEach(
  session: Session,
  nodes: readonly string[],
  verb: Verb,
  envelope: ControlEnvelope,
): Promise<NodeAnswer[]> {
  const answers: NodeAnswer[] = []
  const left = [...nodes]
  async function work(): Promise<void> {
    for (let node = left.shift(); node !== undefined; node = left.shift()) {
      try {
        answers.push({ node, answer: await session.ask(node, verb, envelope) })
      } catch (error) {
        const { code, message } = toWireError(error)
        answers.push({ node, answer: { ok: false, code, message } })
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return answers.toSorted((a, b) => (a.node < b.node ? -1 : 1))
}

/** The result of the only node; throws its refusal. */
export function only(answers: readonly NodeAnswer[]): unknown {
  const answer = answers[0]?.answer
  if (answer?.ok === true) return answer.result
  throw new MillraceError(answer?.code ?? 'node.answer', answer?.message ?? 'no answer')
}
