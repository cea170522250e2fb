"""What viewsets of things in projects share."""

from tickethub.viewsets import ModelViewSet


class InProjectViewSet(ModelViewSet):
    """Things in the caller's projects. `queryset` is what there is; the caller gets what they may see of it."""

    lookup_value_converter = "uuid"

    def get_queryset(self):
        return super().get_queryset().visible_to(self.request.user)

    def narrow(self, scope, pk):
        if scope == "project":
            return super().get_queryset().visible_in(pk, self.request.user)
        return super().narrow(scope, pk)

    def perform_create(self, serializer):
        self.check_object_permissions(self.request, serializer.validated_data["project"])
        serializer.save()
