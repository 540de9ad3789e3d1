import { QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiFailure, isTransient } from "@/api/errors";
import { noteAnswer, noteFailure } from "@/app/freshness";

const MOST_RETRIES = 3;

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({ onSuccess: noteAnswer, onError: (error) => isTransient(error) && noteFailure() }),
    defaultOptions: {
      queries: {
        retry: (failures, error) => isTransient(error) && failures < MOST_RETRIES,
        retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 5_000) * (0.5 + Math.random()),
        staleTime: 2_000,
        networkMode: "always",
        // What is on the screen stays there while the control plane is away.
        throwOnError: (error, query) =>
          query.state.data === undefined && error instanceof ApiFailure && error.status === 401,
      },
      mutations: { networkMode: "always" },
    },
  });
}
