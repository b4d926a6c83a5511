/** A component that is drawn again only when what it shows has changed. @module */

import { Component, type ComponentType, createElement, type VNode } from "preact";

/** `isSame`: whether two properties show the same. */
export function memo<P extends object>(
  draw: (props: P) => VNode | null,
  isSame: (a: P, b: P) => boolean,
): ComponentType<P> {
  return class extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      return !isSame(this.props as P, next as P);
    }

    override render() {
      return createElement(draw as never, this.props as never) as VNode;
    }
  };
}
