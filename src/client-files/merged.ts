/** The text that a file is to have, or why it is left as it is. */
export type Merged =
  | { readonly ok: true, readonly text: string }
  | {
    readonly ok: false
    /** What is the matter with the file that is there; what to do. */
    readonly problem: string
    /** Whether `force` would settle it. */
    readonly canForce: boolean
  }
