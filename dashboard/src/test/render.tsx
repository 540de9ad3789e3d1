import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
} from "@tanstack/react-router";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";

type Answers = Record<string, unknown | ((request: Request) => Response | Promise<Response>)>;

export interface Recorded {
  method: string;
  path: string;
  body: unknown;
}

/** Answers requests by "METHOD /path"; anything else is a 404 problem. Gives what was asked. */
export function serve(answers: Answers): Recorded[] {
  const asked: Recorded[] = [];
  vi.stubGlobal("fetch", async (input: Request) => {
    const url = new URL(input.url);
    const text = await input.clone().text();
    asked.push({ method: input.method, path: url.pathname + url.search, body: text === "" ? null : JSON.parse(text) });
    const answer = answers[`${input.method} ${url.pathname}`];
    if (answer === undefined) return problem(404, "not_found", "no such thing");
    return typeof answer === "function" ? await answer(input) : Response.json(answer);
  });
  return asked;
}

export function problem(status: number, code: string, detail: string): Response {
  const body = { type: `urn:kernex:error:${code}`, title: code, status, detail, code, request_id: "req-1" };
  return Response.json(body, { status, headers: { "content-type": "application/problem+json" } });
}

/** Draws a component where links and queries work. */
export function draw(element: ReactNode) {
  const root = createRootRoute({ component: Outlet, notFoundComponent: () => null });
  const index = createRoute({ getParentRoute: () => root, path: "/", component: () => element });
  const router = createRouter({ routeTree: root.addChildren([index]), history: createMemoryHistory() });
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(
    <QueryClientProvider client={client}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
}
