import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'

export function userNotFound(user: string): Refusal {
  return refuse('UserNotFound', 'no such user', { user })
}

export function accessKeyNotFound(id: string): Refusal {
  return refuse('AccessKeyNotFound', 'no such access key', { id })
}
