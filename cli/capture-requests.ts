// An operator's requests for captures: each is answered by the actor `capture` with a name or why not, or by the end of the wait.
import type { CaptureArgs } from '../protocol/control/verbs.js'
import { MillraceError } from '../protocol/errors.js'
import type { Message, MessageOf } from '../protocol/messages.js'
import type { Clock } from '../runtime/clock.js'

export interface CaptureRequests {
  /** Resolves when the capture is on disk or in the store. Rejects with `capture.unknown_pod`, `capture.refused`, `capture.no_answer`. */
  ask(what: CaptureArgs): Promise<CaptureArgs & { readonly name: string }>
  answered(message: MessageOf<'capture_answer'>): void
  /** The actor was started again and knows of no request, or the node ends. */
  end(): void
}

export interface CaptureRequestsOptions {
  readonly clock: Clock
  readonly waitMs: number
  readonly perHour: number
  send(message: Message): void
}

type Answer = Pick<MessageOf<'capture_answer'>, 'name' | 'refused'>

export function createCaptureRequests({
  clock,
  waitMs,
  perHour,
  send,
}: CaptureRequestsOptions): CaptureRequests {
  const waiting = new Map<number, (answer: Answer) => void>()
  let lastId = 0

  function refusal({ namespace, pod }: CaptureArgs, refused: string | undefined): MillraceError {
    const whose = `${namespace}/${pod}`
    switch (refused) {
      case undefined:
        return new MillraceError(
          'capture.no_answer',
          `capture: there is no answer for ${whose} yet; \`millrace capture list\` shows what there is`,
        )
      case 'unknown_pod':
        return new MillraceError('capture.unknown_pod', `capture: there is no pod ${whose} on this node`)
      case 'namespace':
        return denied(`no source reads the logs of the namespace ${namespace}, so ${whose} is not captured`)
      case 'same':
        return denied(
          `${whose} was asked for a moment ago; \`millrace capture list\` shows it, or try again in ten seconds`,
        )
      case 'request_limit':
        return denied(`${perHour} captures were asked for within an hour; raise capture.per_hour, or wait`)
      case 'lost':
        return denied(`neither disk nor store takes the capture of ${whose}; the log of the node says why`)
      default:
        return denied(`${whose} is not captured: ${refused}`)
    }
  }

  return {
    async ask(what) {
      const id = ++lastId
      const { name, refused } = await new Promise<Answer>((resolve) => {
        const cancel = clock.after(waitMs, () => resolve({}))
        waiting.set(id, (answer) => {
          cancel()
          resolve(answer)
        })
        send({ type: 'capture', id, ...what })
      })
      waiting.delete(id)
      if (name === undefined) throw refusal(what, refused)
      return { ...what, name }
    },
    answered({ id, ...answer }) {
      waiting.get(id)?.(answer)
    },
    end() {
      for (const answer of waiting.values()) answer({})
    },
  }
}

const denied = (why: string): MillraceError => new MillraceError('capture.refused', `capture: ${why}`)
