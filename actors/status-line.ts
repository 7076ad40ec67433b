// What an actor that is ready says of itself goes to the supervisor when it differs from what was said last, and only then.
import type { StatusMessage } from '../protocol/messages.js'
import type { ActorContext } from '../runtime/actor.js'

/** `reason`: why the actor is degraded, with the way out; undefined: it is not. Cheap when nothing has changed. */
export type TellStatus = (detail: StatusMessage['detail'], reason: string | undefined) => void

export function createStatusLine(context: Pick<ActorContext, 'name' | 'send'>): TellStatus {
  let last = ''
  return (detail, reason) => {
    const why = reason === undefined ? {} : { reason }
    const status: StatusMessage = { type: 'status', actor: context.name, ready: true, ...why, detail }
    const said = JSON.stringify(status)
    if (said === last) return
    last = said
    context.send('supervisor', status)
  }
}
